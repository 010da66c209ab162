// SPDX-License-Identifier: Apache-2.0
package io.cairn.capture;

import io.cairn.image.ElementType;
import io.cairn.image.SectionKind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.openhft.chronicle.bytes.BytesIn;
import net.openhft.chronicle.bytes.BytesMarshallable;
import net.openhft.chronicle.bytes.BytesOut;

/** All that the application registered, by name. One thread: the application's. */
public final class Registry {
  /** Bytes that a name may have in UTF-8. */
  public static final int MAX_NAME_BYTES = 200;

  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private boolean frozen;

  /** Something registered. */
  public sealed interface Entry permits RegionEntry, StateEntry, ArrayEntry {

    /** Its name. */
    String name();

    /** The kind of its section in an image. */
    SectionKind kind();

    /** Its element type, if it is an array. */
    default ElementType type() {
      return ElementType.NONE;
    }

    /** How it is called in messages. */
    default String describe() {
      return kind().name().toLowerCase(java.util.Locale.ROOT) + " \"" + name() + "\"";
    }
  }

  /**
   * Memory.
   *
   * @param address its first byte
   * @param lengthBytes its length, 0 or more
   */
  public record RegionEntry(String name, long address, long lengthBytes) implements Entry {
    @Override
    public SectionKind kind() {
      return SectionKind.REGION;
    }
  }

  /**
   * A callback.
   *
   * @param state writes and reads itself
   */
  public record StateEntry(String name, BytesMarshallable state) implements Entry {
    @Override
    public SectionKind kind() {
      return SectionKind.CALLBACK;
    }
  }

  /**
   * A primitive array on the Java heap.
   *
   * @param type of its elements
   * @param array the array
   */
  public record ArrayEntry(String name, ElementType type, Object array) implements Entry {
    @Override
    public SectionKind kind() {
      return SectionKind.ARRAY;
    }

    /** Its length in bytes. */
    public long lengthBytes() {
      return HeapArrays.lengthBytes(type, array);
    }
  }

  /** Registers memory; {@code address} may be 0 if {@code lengthBytes} is. */
  public void region(String name, long address, long lengthBytes) {
    if (lengthBytes < 0 || (address == 0 && lengthBytes > 0)) {
      throw new IllegalArgumentException(
          "region \"" + name + "\": " + lengthBytes + " bytes at address " + address);
    }
    add(new RegionEntry(name, address, lengthBytes));
  }

  /**
   * Registers a callback.
   *
   * @throws IllegalArgumentException if its class leaves one of the two methods to Chronicle's
   *     reflective default, which fails on fields that aren't public and changes with every field
   */
  public void state(String name, BytesMarshallable state) {
    requireOverride(name, state.getClass(), "writeMarshallable", BytesOut.class);
    requireOverride(name, state.getClass(), "readMarshallable", BytesIn.class);
    add(new StateEntry(name, state));
  }

  private static void requireOverride(
      String name, Class<?> type, String method, Class<?> parameter) {
    Class<?> declaring;
    try {
      declaring = type.getMethod(method, parameter).getDeclaringClass();
    } catch (NoSuchMethodException e) {
      throw new AssertionError("every BytesMarshallable has " + method, e);
    }
    if (declaring.getName().startsWith("net.openhft.")) {
      throw new IllegalArgumentException(
          "state \""
              + name
              + "\": "
              + type.getName()
              + " must override "
              + method
              + "("
              + parameter.getSimpleName()
              + "); it uses the default of "
              + declaring.getSimpleName()
              + ", which finds fields by reflection");
    }
  }

  /**
   * Registers a primitive array; its elements are saved, and on a restore written back into this
   * same array.
   *
   * @throws IllegalArgumentException if it is no array of a primitive type
   */
  public void array(String name, Object array) {
    ElementType type = HeapArrays.typeOf(array);
    if (type == ElementType.NONE) {
      throw new IllegalArgumentException(
          "array \""
              + name
              + "\": "
              + array.getClass().getTypeName()
              + " is no array of a primitive type; register a state that writes it");
    }
    add(new ArrayEntry(name, type, array));
  }

  private void add(Entry entry) {
    requireName(entry.name());
    if (frozen) {
      throw new IllegalStateException(
          entry.describe() + " is registered after restore(); register everything before it");
    }
    Entry present = entries.putIfAbsent(entry.name(), entry);
    if (present != null) {
      throw new IllegalArgumentException(
          entry.describe()
              + ": the name is taken by a "
              + present.kind().name().toLowerCase(java.util.Locale.ROOT));
    }
  }

  private static void requireName(String name) {
    int bytes = name.getBytes(StandardCharsets.UTF_8).length;
    if (bytes < 1 || bytes > MAX_NAME_BYTES) {
      throw new IllegalArgumentException(
          "name \""
              + name
              + "\" has "
              + bytes
              + " bytes in UTF-8, expected 1 to "
              + MAX_NAME_BYTES);
    }
    if (name.codePoints().anyMatch(Character::isISOControl)
        || !StandardCharsets.UTF_8.newEncoder().canEncode(name)) {
      throw new IllegalArgumentException(
          "name \"" + name + "\" has control characters or broken surrogates");
    }
  }

  /** From now on nothing may be registered. */
  public void freeze() {
    frozen = true;
  }

  /** Bytes of all regions and arrays; what callbacks write isn't known before. */
  public long fixedBytes() {
    long bytes = 0;
    for (Entry entry : entries.values()) {
      if (entry instanceof RegionEntry region) {
        bytes += region.lengthBytes();
      } else if (entry instanceof ArrayEntry array) {
        bytes += array.lengthBytes();
      }
    }
    return bytes;
  }

  /**
   * Everything registered: regions, then callbacks, then arrays, each in the order of registration.
   */
  public List<Entry> entries() {
    List<Entry> sorted = new ArrayList<>(entries.values());
    sorted.sort(java.util.Comparator.comparing(entry -> entry.kind().code()));
    return Collections.unmodifiableList(sorted);
  }
}
