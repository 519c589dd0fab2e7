import { mount } from 'svelte';
import shared from './gen/messages/de-shared.js';
import texts from './gen/messages/de-visit.js';
import { unlockSound } from './media/sound';
import { boot, mountPoint } from './shared/boot';
import { use } from './shared/texts';
import './styles/page.css';
import { VisitPage, type VisitBoot } from './visit/visit.svelte';
import Visit from './visit/Visit.svelte';

use(shared, texts);
unlockSound();
const page = new VisitPage(boot<VisitBoot>());
mount(Visit, { target: mountPoint(), props: { page } });
page.start();
