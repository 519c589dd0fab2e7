import { describe, expect, test } from 'vitest';
import { asTree, idOf, lines, newOffice, nextSpan, parentsOf, typedOf, untilOf, type OfficeRow } from '../src/admin/rows';

const office = (id: string, parent = ''): OfficeRow => ({ ...newOffice(1), id, parent, name: id });

describe('rows of the house', () => {
  test('an id is made of a name', () => {
    expect(idOf('Bürgerbüro Süd', [])).toBe('buergerbuero-sued');
    expect(idOf('  Straße & Grün!  ', [])).toBe('strasse-gruen');
    expect(idOf('Café', ['cafe'])).toBe('cafe-2');
    expect(idOf('Café', ['cafe', 'cafe-2'])).toBe('cafe-3');
    expect(idOf('???', [])).toBe('amt');
    expect(idOf('x'.repeat(200), []).length).toBeLessThanOrEqual(64);
  });
  test('offices stand below theirs, and none is lost', () => {
    const all = [office('b', 'a'), office('a'), office('c', 'b'), office('lost', 'nowhere')];
    expect(asTree(all).map(({ office, depth }) => `${depth}${office.id}`)).toEqual(['0a', '1b', '2c', '0lost']);
  });
  test('nobody stands below itself', () => {
    const all = [office('a'), office('b', 'a'), office('c', 'b'), office('d')];
    expect(parentsOf(all, 'a').map((o) => o.id)).toEqual(['d']);
    expect(parentsOf(all, 'c').map((o) => o.id)).toEqual(['a', 'b', 'd']);
    expect(parentsOf(all, '').map((o) => o.id)).toEqual(['a', 'b', 'c', 'd']);
  });
  test('midnight is 24:00 to the box and 00:00 in a field', () => {
    expect(untilOf('00:00')).toBe('24:00');
    expect(typedOf('24:00')).toBe('00:00');
    expect(typedOf(untilOf('12:30'))).toBe('12:30');
  });
  test('a further time comes after the last', () => {
    expect(nextSpan([])).toEqual({ from: '08:00', until: '12:00' });
    expect(nextSpan([{ from: '08:00', until: '12:00' }])).toEqual({ from: '13:00', until: '16:00' });
    expect(nextSpan([{ from: '08:00', until: '22:00' }])).toEqual({ from: '23:00', until: '24:00' });
  });
  test('lines are trimmed and empty ones left out', () => {
    expect(lines(' Ausweis \n\n Vertrag')).toEqual(['Ausweis', 'Vertrag']);
  });
});
