// SPDX-License-Identifier: Apache-2.0
package io.cairn.coordinate;

/**
 * Told how far the ranks have come, for whoever watches the launch from outside. Called on the
 * agent's thread, as often as there are pulses; must not block, throw or allocate.
 */
public interface PulseWatch {

  /** For nobody. */
  PulseWatch NONE =
      new PulseWatch() {
        @Override
        public void pulsed(long pulses, long lowestIndex, long highestIndex) {}

        @Override
        public void committed(long epoch, long safePoint) {}
      };

  /** Tells both, this one first. */
  default PulseWatch and(PulseWatch other) {
    PulseWatch first = this;
    return new PulseWatch() {
      @Override
      public void pulsed(long pulses, long lowestIndex, long highestIndex) {
        first.pulsed(pulses, lowestIndex, highestIndex);
        other.pulsed(pulses, lowestIndex, highestIndex);
      }

      @Override
      public void committed(long epoch, long safePoint) {
        first.committed(epoch, safePoint);
        other.committed(epoch, safePoint);
      }
    };
  }

  /**
   * A pulse has completed: all agents live.
   *
   * @param pulses how many have
   * @param lowestIndex safe points passed by the last rank
   * @param highestIndex safe points passed by the foremost one
   */
  void pulsed(long pulses, long lowestIndex, long highestIndex);

  /**
   * An epoch is committed.
   *
   * @param safePoint where this rank was cut
   */
  void committed(long epoch, long safePoint);
}
