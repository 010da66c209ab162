// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;
import org.junit.jupiter.api.Test;

/** What may be registered; everything else is refused at once, by name. */
final class RegistryTest {
  private final Registry registry = new Registry();

  private static final class Reflective implements BytesMarshallable {}

  private static class WritesOnly implements BytesMarshallable {
    @Override
    public void writeMarshallable(BytesOut<?> bytes) {}
  }

  private static final class Both extends WritesOnly {
    @Override
    public void readMarshallable(BytesIn<?> bytes) {}
  }

  private void assertRefused(
      Class<? extends Exception> type, Runnable registration, String... parts) {
    String message = assertThrows(type, registration::run).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), part + " in: " + message);
    }
    assertEquals(List.of(), registry.entries());
  }

  @Test
  void shouldRefuseStatesThatLeaveOneMethodToReflection() {
    Class<IllegalArgumentException> refused = IllegalArgumentException.class;
    Reflective reflective = new Reflective();
    assertRefused(
        refused,
        () -> registry.state("clock", reflective),
        "clock",
        "Reflective",
        "writeMarshallable");
    assertRefused(
        refused, () -> registry.state("clock", new WritesOnly()), "WritesOnly", "readMarshallable");
    registry.state("clock", new Both());
    assertEquals(1, registry.entries().size());
  }

  @Test
  void shouldRefuseWhatIsNoPrimitiveArray() {
    Class<IllegalArgumentException> refused = IllegalArgumentException.class;
    assertRefused(refused, () -> registry.array("a", new double[2][2]), "\"a\"", "double[][]");
    assertRefused(refused, () -> registry.array("a", new String[2]), "java.lang.String[]");
    assertRefused(refused, () -> registry.array("a", "text"), "java.lang.String");
  }

  @Test
  void shouldRefuseNamesThatFilesOrPeopleCantTellApart() {
    Class<IllegalArgumentException> refused = IllegalArgumentException.class;
    assertRefused(refused, () -> registry.array("", new int[1]), "0 bytes");
    assertRefused(refused, () -> registry.array("é".repeat(101), new int[1]), "202 bytes");
    assertRefused(refused, () -> registry.array("a\nb", new int[1]), "control characters");
    assertRefused(refused, () -> registry.array("\ud800", new int[1]), "surrogates");
    registry.array("é".repeat(100), new int[1]);
  }

  @Test
  void shouldRefuseMemoryThatIsNone() {
    Class<IllegalArgumentException> refused = IllegalArgumentException.class;
    assertRefused(refused, () -> registry.region("u", 0, 1), "address 0");
    assertRefused(refused, () -> registry.region("u", 4096, -1), "-1 bytes");
    registry.region("u", 0, 0);
  }

  @Test
  void shouldRefuseANameTwiceWhateverItNames() {
    registry.array("u", new int[1]);
    String message =
        assertThrows(IllegalArgumentException.class, () -> registry.region("u", 4096, 1))
            .getMessage();
    assertTrue(message.contains("region \"u\"") && message.contains("array"), message);
    assertEquals(1, registry.entries().size());
  }

  @Test
  void shouldRefuseWhatComesAfterTheRestore() {
    registry.freeze();
    assertRefused(
        IllegalStateException.class, () -> registry.array("u", new int[1]), "\"u\"", "restore()");
  }
}
