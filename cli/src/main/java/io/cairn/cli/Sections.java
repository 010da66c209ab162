// SPDX-License-Identifier: Apache-2.0
package io.cairn.cli;

import io.cairn.image.ElementType;
import io.cairn.image.Section;
import java.util.Locale;

/** An image's sections in words. */
final class Sections {
  private Sections() {}

  /** Such as {@code region "u"} or {@code array "r" of double}. */
  static String describe(Section section) {
    return switch (section.kind()) {
      case COUNTS -> "the ledger's counts";
      case CHANNELS -> "the channel state";
      default ->
          kind(section)
              + " \""
              + section.name()
              + "\""
              + (section.type() == ElementType.NONE ? "" : " of " + type(section));
    };
  }

  static String kind(Section section) {
    return section.kind().name().toLowerCase(Locale.ROOT);
  }

  static String type(Section section) {
    return section.type().name().toLowerCase(Locale.ROOT);
  }
}
