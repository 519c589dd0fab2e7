// Who of the two is shown to speak, as the box told last.
import type { DeviceState } from '../live/messages';
import type { RemoteTrack } from './seat';

export class Speaking {
  /** The seat that speaks; '' for nobody. */
  seat = $state('');

  /** Somebody whom we receive speaks. Who says that the microphone is off does not: what the box heard was before that. */
  other(remote: readonly RemoteTrack[], sends: DeviceState | null): boolean {
    return this.seat !== '' && sends?.microphone !== false && remote.some((r) => r.seat === this.seat);
  }

  self(own: string | undefined, sends: boolean): boolean {
    return this.seat !== '' && sends && this.seat === own;
  }
}
