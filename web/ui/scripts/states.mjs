// The states that shots.mjs shows: what the box would have told, and what the person does.

const minute = 60_000;
const ago = (minutes) => new Date(Date.now() - minutes * minute).toISOString();
const ahead = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();
const town = { name: 'Lindenau', kind: 'Stadt', telephone: '0661 7001-0' };

const visit = (more = {}) => ({
  id: '0123456789abcdef0123456789abcdef', version: 3, state: 'waiting', office: 'standesamt', office_name: 'Standesamt', telephone: '0661 7001-20',
  position: 3, wait_minutes: [5, 10], staff: 2, office_state: 'open', name: 'Renate Krüger', matter: 'Eheurkunde bestellen', needs: [],
  bring: ['Personalausweis oder Reisepass', 'Familienbuch, falls vorhanden'], arrived_at: ago(12), call: null, talk: null, moved: null, misses: 0, ended_at: null, ...more,
});
const moved = { from_office: 'Bürgerbüro', by: 'Frau Weber', reason: 'Die Eheurkunde gibt es nur im Standesamt.' };
const call = { title: 'Frau Özdemir', ends: ahead(40), more: true };
const talk = { title: 'Frau Özdemir', since: ago(2), alone: false };

const citizen = (view, more = {}) => ({
  entry: 'src/visit.ts', citizen: true, boot: { visit: view, town, lang: 'de', now: new Date().toISOString() }, greeting: [{ t: 'visit', view }],
  api: () => ({ status: 200, body: view }), ...more,
});
const seat = { t: 'seat', seat: 'aa', room: 'bb', ice_servers: [], layers: true };
const resting = { t: 'paused', seat: 'aa', pictures: [{ seat: 'other', source: 'camera' }] };
const talking = visit({ state: 'talking', position: null, talk, version: 5 });
const inTalk = (more = {}, act) =>
  citizen(talking, {
    fixed: true, greeting: [{ t: 'visit', view: talking }, seat],
    act: async (page) => {
      await page.waitForFunction(() => [...document.querySelectorAll('video')].some((v) => v.videoWidth > 0), null, { timeout: 8000 }).catch(() => {});
      await act?.(page);
    },
    ...more,
  });
const push = (page, m) => page.evaluate((m) => window.box.push(m), m);

const person = (id, name, matter, minutes, more = {}) => ({
  id, version: 1, state: 'waiting', office: 'buergerbuero', office_name: 'Bürgerbüro', name, matter, needs: [], arrived_at: ago(minutes), waits_from: ago(minutes),
  position: 1, presence: 'present', misses: 0, orphaned: false, call_ends: null, talks_at: null, notes: [], history: [], ...more,
});
const queue = [
  person('1', 'Mehmet Aydın', 'Personalausweis beantragen', 31),
  person('2', 'Familie Brandt', 'Ummeldung, 4 Personen', 17, { position: 2, needs: ['sign_language'] }),
  person('3', 'Ilse Hoffmann', 'Führungszeugnis', 4, { position: 3, presence: 'interrupted', misses: 1 }),
  person('4', 'Jonas Keller', 'Fundsache: Fahrrad', 1, { position: null, state: 'talking', holder: 'Karin Haas', holder_id: 'haas' }),
];
const office = (id, name, more = {}) => ({
  id, name, telephone: '0661 7001-30', state: 'open', waiting: 0, wait_minutes: [0, 0], opens_at: null, closes_at: null, staff: 1, ...more,
});
const others = [
  office('buergerbuero', 'Bürgerbüro', { waiting: 3, wait_minutes: [10, 20], staff: 1 }),
  office('standesamt', 'Standesamt', { waiting: 1, wait_minutes: [5, 8], staff: 2 }),
  office('bauamt', 'Bauamt', { staff: 1 }),
  office('soziales', 'Soziales und Wohngeld', { waiting: 4, wait_minutes: null, staff: 0 }),
  office('steuern', 'Steuern und Abgaben', { state: 'closed', opens_at: ahead(7200), wait_minutes: null, staff: 0 }),
];
const current = person('9', 'Renate Krüger', 'Meldebescheinigung', 14, {
  state: 'talking', position: null, talks_at: ago(7.7), holder: 'Sabine Weber', holder_id: 'weber', from: 'Standesamt',
  notes: [{ at: ago(9), clerk: 'Elif Özdemir', office: 'Standesamt', text: 'Frau Krüger braucht eine Meldebescheinigung. Ausweis habe ich geprüft.' }],
  history: [{ office: 'Standesamt', clerk: 'Elif Özdemir', from: ago(20), until: ago(9), reason: 'Die Bescheinigung gibt es im Bürgerbüro.' }],
});
const deskView = (more = {}) => ({
  clerk: { id: 'weber', name: 'Sabine Weber', title: 'Frau Weber', roles: ['clerk'], offices: ['buergerbuero'] }, state: 'available', current: null,
  queues: [{ office: 'buergerbuero', name: 'Bürgerbüro', state: 'open', staff: 1, visits: queue }], parked: [], passed: [], others, now: new Date().toISOString(), ...more,
});
const span = (from, until) => ({ from, until });
const officeRow = (id, name, more = {}) => ({
  id, name, parent: '', telephone: '0661 7001-20', closed: false, opens_at: null, week: [[], [], [], [], [], [], []], days: [], limit: 0, minutes: 10,
  bring: [], order: 1, services: [], edition: '0123456789abcdef', state: 'open', ...more,
});
const organisation = {
  town: { ...town, land: 'SN', edition: '0123456789abcdef', days: [{ first: '2026-12-24', last: '2026-12-31', hours: [], why: 'Zwischen den Jahren' }] },
  offices: [
    officeRow('buergerbuero', 'Bürgerbüro', {
      week: [[], [span('08:00', '12:00')], [span('08:00', '12:00'), span('14:00', '18:00')], [span('08:00', '12:00')], [span('08:00', '12:00'), span('14:00', '18:00')], [span('08:00', '12:00')], []],
      days: [{ first: '2027-02-08', last: '2027-02-08', hours: [span('08:00', '10:00')], why: 'Rosenmontag' }],
      bring: ['Personalausweis oder Reisepass'],
      services: [{ id: 'umzug', name: 'Umzug melden', minutes: 8, bring: ['Bestätigung des Vermieters'] }, { id: 'hund', name: 'Hund anmelden', minutes: 5, bring: [] }],
    }),
    officeRow('standesamt', 'Standesamt', { parent: 'buergerbuero' }),
    officeRow('bauamt', 'Bauamt', { state: 'full' }),
    officeRow('steuern', 'Steuern und Abgaben', { state: 'closed', closed: true }),
  ],
};
const admin = (more = {}) => ({
  entry: 'src/admin.ts', boot: { organisation, town, now: new Date().toISOString() }, api: () => ({ status: 200, body: organisation }), ...more,
});
const clerk = (view, more = {}) => ({ entry: 'src/desk.ts', boot: { desk: view, town }, greeting: [{ t: 'desk', view }], ...more });
const busy = deskView({
  state: 'busy', current, parked: [person('7', 'Olena Kovalenko', 'Geburtsurkunde', 40, { state: 'parked', position: null, holder: 'Sabine Weber' })],
  passed: [person('8', 'Paul Lange', 'Bauantrag', 6, { office: 'bauamt', office_name: 'Bauamt' })],
});
const atDesk = (more = {}, act, view = busy) =>
  clerk(view, {
    greeting: [{ t: 'desk', view }, seat],
    act: async (page) => {
      await page.waitForFunction(() => [...document.querySelectorAll('video')].some((v) => v.videoWidth > 0), null, { timeout: 8000 }).catch(() => {});
      await act?.(page);
    },
    ...more,
  });
const denied = `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));`;
const nothing = `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotFoundError'));`;

export const states = {
  'visit-waiting': citizen(visit({ moved })),
  'visit-ask': citizen(visit(), { permissions: [], before: `navigator.permissions.query = async () => ({ state: 'prompt' });` }),
  'visit-denied': citizen(visit({ moved }), { before: denied }),
  'visit-nothing': citizen(visit({ position: 1, wait_minutes: [0, 1] }), { before: nothing }),
  'visit-nobody': citizen(visit({ wait_minutes: null, staff: 0, misses: 1, position: 8 })),
  'visit-parked': citizen(visit({ state: 'parked', position: null })),
  'visit-offline': citizen(visit(), { act: async (page) => { await page.evaluate(() => window.box.cut()); await page.waitForTimeout(2300); } }),
  'visit-replaced': citizen(visit(), { act: (page) => push(page, { t: 'replaced' }) }),
  'visit-called': citizen(visit({ state: 'called', position: null, call }), { fixed: true }),
  'visit-leave': citizen(visit(), { fixed: true, act: (page) => page.click('text=Wartezimmer verlassen') }),
  'visit-talk': inTalk({}, (page) => push(page, { t: 'devices', side: 'clerk', microphone: true, camera: true, screen: false })),
  'visit-resting': inTalk({}, async (page) => {
    await push(page, { t: 'devices', side: 'clerk', microphone: true, camera: true, screen: false });
    await push(page, resting);
    await page.waitForSelector('[role=status] .warn', { timeout: 5000 });
  }),
  'visit-speaks': inTalk({}, async (page) => {
    await push(page, { t: 'devices', side: 'clerk', microphone: true, camera: true, screen: false });
    await push(page, { t: 'speaker', seat: 'other' });
    await page.waitForSelector('.stage .mark.on', { timeout: 5000 });
  }),
  'visit-heard': inTalk({}, async (page) => {
    await push(page, { t: 'devices', side: 'clerk', microphone: true, camera: true, screen: true });
    await push(page, { t: 'speaker', seat: 'aa' });
    await page.waitForSelector('.small .ring.on', { timeout: 5000 });
  }),
  'visit-text': inTalk({}, async (page) => {
    await push(page, { t: 'text', side: 'clerk', name: 'Frau Özdemir', line: 1, text: 'Guten Tag, Frau Krüger. Hören Sie mich?', done: true });
    await page.fill('textarea', 'Ja, ich höre Sie gut.');
    await page.press('textarea', 'Enter');
    await push(page, { t: 'text', side: 'clerk', name: 'Frau Özdemir', line: 2, text: 'Schön. Dann fangen wir', done: false });
  }),
  'visit-interrupted': inTalk({}, async (page) => {
    await push(page, { t: 'devices', side: 'clerk', microphone: true, camera: true, screen: false });
    await push(page, { t: 'interrupted', side: 'clerk', interrupted: true });
    await page.waitForTimeout(1_500); // said when it lasts
  }),
  'visit-alone': inTalk({}, (page) => push(page, { t: 'visit', view: { ...talking, talk: { ...talk, alone: true } } })),
  'visit-done': citizen(visit({ state: 'done', position: null, outcome: 'done', ended_at: ago(0) })),
  'visit-noshow': citizen(visit({ state: 'no_show', position: null, ended_at: ago(0) })),
  'visit-left': citizen(visit({ state: 'left', position: null, ended_at: ago(0) })),
  'test': { entry: 'src/test.ts', citizen: true, boot: { town, lang: 'de' } },
  'admin-town': admin(),
  'admin-office': admin({ act: (page) => page.click('nav >> text=Bürgerbüro') }),
  'admin-new': admin({ act: (page) => page.click('nav >> text=Neues Amt') }),
  'admin-refused': admin({
    api: () => ({ status: 422, body: { type: '/probleme/hours-invalid', title: 'Diese Zeiten gehen nicht auf. Ein Ende liegt nach seinem Beginn, und keine Zeit überschneidet eine andere.', field: 'hours.week.1' } }),
    act: async (page) => {
      await page.click('nav >> text=Bürgerbüro');
      await page.fill('#week-1-0-until', '07:00');
      await page.click('text=Speichern');
    },
  }),
  'admin-lose': admin({
    fixed: true,
    act: async (page) => {
      await page.fill('#name', 'Lindenau an der Saale');
      await page.click('nav >> text=Bürgerbüro');
    },
  }),
  'desk-queue': clerk(deskView()),
  'desk-empty': clerk(deskView({ queues: [{ office: 'buergerbuero', name: 'Bürgerbüro', state: 'open', staff: 1, visits: [] }] })),
  'desk-pause': clerk(deskView({ state: 'pause' })),
  'desk-offline': clerk(deskView(), { api: () => ({ status: 200, body: deskView() }), act: async (page) => { await page.evaluate(() => window.box.cut()); await page.waitForTimeout(500); } }),
  'desk-choose': clerk(deskView(), { fixed: true, act: (page) => page.click('text=Familie Brandt') }),
  'desk-calling': atDesk({ greeting: [{ t: 'desk', view: { ...busy, current: { ...current, state: 'called', talks_at: null, call_ends: ahead(38), misses: 1 } } }] }, null, { ...busy, current: { ...current, state: 'called', talks_at: null, call_ends: ahead(38), misses: 1 } }),
  'desk-talk': atDesk({}, (page) => push(page, { t: 'devices', side: 'citizen', microphone: true, camera: true, screen: false })),
  'desk-resting': atDesk({}, async (page) => {
    await push(page, { t: 'devices', side: 'citizen', microphone: true, camera: true, screen: false });
    await push(page, resting);
    await page.waitForSelector('[role=status] .warn', { timeout: 5000 });
  }),
  'desk-speaks': atDesk({}, async (page) => {
    await push(page, { t: 'devices', side: 'citizen', microphone: true, camera: false, screen: false });
    await push(page, { t: 'speaker', seat: 'other' });
    await page.waitForSelector('.stage .mark.on', { timeout: 5000 });
  }),
  'desk-interrupted': atDesk({}, async (page) => {
    await push(page, { t: 'devices', side: 'citizen', microphone: true, camera: true, screen: false });
    await push(page, { t: 'interrupted', side: 'citizen', interrupted: true });
    await page.waitForTimeout(1_500);
  }),
  'desk-text': atDesk({}, async (page) => {
    await page.click('#tab-text');
    await push(page, { t: 'text', side: 'citizen', name: 'Renate Krüger', line: 1, text: 'Guten Tag, ich brauche eine Meldebescheinigung.', done: true });
    await page.fill('#text-line', 'Guten Tag, Frau Krüger.');
  }),
  'desk-transfer': atDesk({ fixed: true }, (page) => page.keyboard.press('Alt+KeyW')),
  'desk-finish': atDesk({ fixed: true }, (page) => page.keyboard.press('Alt+KeyG')),
  'desk-settings': clerk(deskView(), { fixed: true, act: (page) => page.keyboard.press('?') }),
  'desk-replaced': atDesk({}, (page) => push(page, { t: 'replaced' })),
  'desk-problem': clerk(deskView(), {
    api: () => ({ status: 409, body: { type: 'about:blank', title: 'Diese Person hat schon jemand aufgerufen.', holder: 'Karin Haas' } }),
    act: (page) => page.click('text=Nächste Person aufrufen'),
  }),
};
