// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.api.MisuseException;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import org.junit.jupiter.api.Test;

class RegistrationsTest {

  private static class Both implements BytesMarshallable {
    @Override
    public void writeMarshallable(BytesOut<?> out) {}

    @Override
    public void readMarshallable(BytesIn<?> in) {}
  }

  private static final class Inherits extends Both {}

  private static final class OnlyWrites implements BytesMarshallable {
    @Override
    public void writeMarshallable(BytesOut<?> out) {}
  }

  private static final class OnlyReads implements BytesMarshallable {
    @Override
    public void readMarshallable(BytesIn<?> in) {}
  }

  @Test
  void shouldRefuseAStateThatLeavesADefaultInPlace() {
    Registrations.overridesBoth("clock", new Both());
    Registrations.overridesBoth("clock", new Inherits());

    String read =
        assertThrows(
                MisuseException.class, () -> Registrations.overridesBoth("clock", new OnlyWrites()))
            .getMessage();
    assertTrue(read.contains("'clock'") && read.contains("readMarshallable(BytesIn)"), read);
    String write =
        assertThrows(
                MisuseException.class, () -> Registrations.overridesBoth("clock", new OnlyReads()))
            .getMessage();
    assertTrue(write.contains("writeMarshallable(BytesOut)"), write);
  }

  @Test
  void shouldRefuseANameThatIsTakenWhateverItNames() {
    Registrations registrations = new Registrations();
    registrations.name("region", "u");

    String message =
        assertThrows(MisuseException.class, () -> registrations.name("array", "u")).getMessage();
    assertTrue(message.contains("'u' is registered twice"), message);
  }

  @Test
  void shouldRefuseNamesThatDontFitAnImage() {
    Registrations registrations = new Registrations();

    assertThrows(MisuseException.class, () -> registrations.name("region", ""));
    assertThrows(MisuseException.class, () -> registrations.name("region", "ü".repeat(101)));
    registrations.name("region", "ü".repeat(100));
  }

  @Test
  void shouldRefuseARegistrationAfterRestoreAndASecondRestore() {
    Registrations registrations = new Registrations();
    registrations.name("region", "u");
    registrations.close();

    String message =
        assertThrows(MisuseException.class, () -> registrations.name("region", "v")).getMessage();
    assertTrue(message.contains("after restore()"), message);
    assertThrows(MisuseException.class, registrations::close);
  }

  @Test
  void shouldSuspectAnOverflowBehindANegativeLength() {
    int cells = 300_000_000;
    String message =
        assertThrows(
                MisuseException.class, () -> Registrations.length("u", multiplyAsPeopleDo(cells)))
            .getMessage();
    assertTrue(message.contains("did an int overflow"), message);
    Registrations.length("u", 0);
  }

  private static long multiplyAsPeopleDo(int cells) {
    int bytes = cells * Double.BYTES;
    return bytes;
  }
}
