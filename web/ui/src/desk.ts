import { mount } from 'svelte';
import { DeskPage, type DeskBoot } from './desk/desk.svelte';
import Desk from './desk/Desk.svelte';
import texts from './gen/messages/de-desk.js';
import shared from './gen/messages/de-shared.js';
import { unlockSound } from './media/sound';
import { boot, mountPoint } from './shared/boot';
import { use } from './shared/texts';
import './styles/page.css';

use(shared, texts);
unlockSound();
const page = new DeskPage(boot<DeskBoot>());
mount(Desk, { target: mountPoint(), props: { page } });
page.start();
