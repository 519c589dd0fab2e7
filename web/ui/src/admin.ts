import { mount } from 'svelte';
import Organisation from './admin/Organisation.svelte';
import { OrganisationPage, type AdminBoot } from './admin/organisation.svelte';
import texts from './gen/messages/de-admin.js';
import shared from './gen/messages/de-shared.js';
import { boot, mountPoint } from './shared/boot';
import { use } from './shared/texts';
import './styles/page.css';

use(shared, texts);
const page = new OrganisationPage(boot<AdminBoot>());
mount(Organisation, { target: mountPoint(), props: { page } });
