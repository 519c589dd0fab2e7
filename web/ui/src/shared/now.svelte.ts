// The box's time as a value that ticks, shared by everything on a page that counts.
import { boxNow } from '../live/api';

class Ticker {
  now = $state(boxNow());

  constructor() {
    setInterval(() => (this.now = boxNow()), 1_000);
  }
}

export const ticker = new Ticker();
