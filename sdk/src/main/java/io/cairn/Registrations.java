// SPDX-License-Identifier: Apache-2.0
package io.cairn;

import io.cairn.api.MisuseException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;

/** Refuses registrations that couldn't be restored, with Cairn enabled or not. */
final class Registrations {

  private static final int MAX_NAME_BYTES = 200;

  private final Set<String> names = new HashSet<>();
  private boolean closed;

  /** No more registrations: their values would be missed by the restore that is under way. */
  void close() {
    if (closed) {
      throw new MisuseException(
          "restore() is called a second time; call it once, before the main loop");
    }
    closed = true;
  }

  void name(String kind, String name) {
    Objects.requireNonNull(name, "name");
    if (closed) {
      throw new MisuseException(
          "%s '%s' is registered after restore(); register everything before it, or its saved value is lost"
              .formatted(kind, name));
    }
    int bytes = name.getBytes(StandardCharsets.UTF_8).length;
    if (bytes == 0 || bytes > MAX_NAME_BYTES) {
      throw new MisuseException(
          "%s '%s' has a name of %d bytes; expected 1 to %d"
              .formatted(kind, name, bytes, MAX_NAME_BYTES));
    }
    if (!names.add(name)) {
      throw new MisuseException(
          "the name '%s' is registered twice; regions, states and arrays share one set of names"
              .formatted(name));
    }
  }

  static void length(String name, long lengthBytes) {
    if (lengthBytes < 0) {
      throw new MisuseException(
          "region '%s' has a length of %,d bytes; did an int overflow? multiply as long"
              .formatted(name, lengthBytes));
    }
  }

  /**
   * Chronicle's reflective defaults fail on fields they can't reach, and then only when an epoch is
   * due.
   */
  static void overridesBoth(String name, BytesMarshallable state) {
    Class<?> type = Objects.requireNonNull(state, "state").getClass();
    require(name, type, "readMarshallable", BytesIn.class);
    require(name, type, "writeMarshallable", BytesOut.class);
  }

  private static void require(String name, Class<?> type, String methodName, Class<?> parameter) {
    Method method;
    try {
      method = type.getMethod(methodName, parameter);
    } catch (NoSuchMethodException e) {
      throw new AssertionError(e); // the interface has it
    }
    if (method.getDeclaringClass() == BytesMarshallable.class) {
      throw new MisuseException(
          "state '%s': %s leaves %s(%s) to Chronicle's reflective default; override both readMarshallable and"
                  .formatted(name, type.getName(), methodName, parameter.getSimpleName())
              + " writeMarshallable, writing and reading the same fields in the same order");
    }
  }
}
