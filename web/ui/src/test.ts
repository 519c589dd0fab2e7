import { mount } from 'svelte';
import DeviceTest from './visit/DeviceTest.svelte';
import shared from './gen/messages/de-shared.js';
import type { TownHead } from './live/views';
import { unlockSound } from './media/sound';
import { boot, mountPoint } from './shared/boot';
import { use } from './shared/texts';
import './styles/page.css';

use(shared);
unlockSound();
mount(DeviceTest, { target: mountPoint(), props: boot<{ town: TownHead }>() });
