// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How an option's values are written.
 *
 * @param name a word for the table of options
 * @param expected what is accepted, for error messages
 * @param parser throws IllegalArgumentException or ArithmeticException for what isn't accepted
 */
record OptionType<T>(String name, String expected, Function<String, T> parser) {

  private static final Pattern DURATION_TEXT = Pattern.compile("(\\d{1,12})(ms|s|m|h)");
  private static final Pattern BYTES_TEXT = Pattern.compile("(\\d{1,18})(B|KiB|MiB|GiB|TiB)");
  private static final Pattern NAME_TEXT = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,99}");
  private static final String OFF = "off";
  private static final String AUTO = "auto";
  private static final Duration LONGEST = Duration.ofDays(3_650);

  static final OptionType<Boolean> BOOLEAN =
      new OptionType<>("boolean", "true or false", OptionType::parseBoolean);

  static final OptionType<Path> PATH = new OptionType<>("path", "a path", OptionType::parsePath);

  static final OptionType<String> NAME =
      new OptionType<>(
          "name",
          "1 to 100 letters, digits, '_', '-' or '.', not beginning with '-' or '.'",
          OptionType::parseName);

  static final OptionType<Duration> DURATION =
      new OptionType<>(
          "duration",
          "a duration above zero such as 500ms, 10s, 5m or 2h",
          OptionType::parseDuration);

  static final OptionType<Optional<Duration>> DURATION_OR_OFF =
      new OptionType<>(
          "duration",
          "a duration above zero such as 500ms, 10s, 5m or 2h, or off",
          text -> text.equals(OFF) ? Optional.empty() : Optional.of(parseDuration(text)));

  /**
   * When time begins epochs.
   *
   * @param automatic whether the time is chosen by what is measured
   * @param fixed if it isn't; empty if time begins none
   */
  record Interval(boolean automatic, Optional<Duration> fixed) {}

  static final OptionType<Interval> INTERVAL =
      new OptionType<>(
          "interval",
          "a duration above zero such as 500ms, 10s, 5m or 2h, or off, or auto",
          text ->
              text.equals(AUTO)
                  ? new Interval(true, Optional.empty())
                  : new Interval(false, DURATION_OR_OFF.parse(text)));

  static final OptionType<Optional<Duration>> DURATION_OR_AUTO =
      new OptionType<>(
          "duration",
          "a duration above zero such as 500ms, 10s, 5m or 2h, or auto",
          text -> text.equals(AUTO) ? Optional.empty() : Optional.of(parseDuration(text)));

  static final OptionType<OptionalLong> COUNT_OR_OFF =
      new OptionType<>(
          "count",
          "a whole number from 1 on, or off",
          text ->
              text.equals(OFF)
                  ? OptionalLong.empty()
                  : OptionalLong.of(parseWhole(text, Long.MAX_VALUE)));

  /**
   * Every how many committed epochs a tier protects one.
   *
   * @param automatic whether that is chosen by what is measured
   * @param fixed if it isn't; empty if the tier protects none
   */
  record Period(boolean automatic, OptionalLong fixed) {}

  static final OptionType<Period> PERIOD_OR_OFF =
      new OptionType<>(
          "count",
          "a whole number from 1 on, or off, or auto",
          text ->
              text.equals(AUTO)
                  ? new Period(true, OptionalLong.empty())
                  : new Period(false, COUNT_OR_OFF.parse(text)));

  static final OptionType<Period> PERIOD =
      new OptionType<>(
          "count",
          "a whole number from 1 to 1,000,000, or auto",
          text ->
              text.equals(AUTO)
                  ? new Period(true, OptionalLong.empty())
                  : new Period(false, OptionalLong.of(parseWhole(text, 1_000_000))));

  static final OptionType<Long> BYTES =
      new OptionType<>("bytes", "a size such as 64MiB or 2GiB", OptionType::parseBytes);

  static final OptionType<OptionalLong> BYTES_OR_AUTO =
      new OptionType<>(
          "bytes",
          "a size such as 64MiB or 2GiB, or auto",
          text -> text.equals(AUTO) ? OptionalLong.empty() : OptionalLong.of(parseBytes(text)));

  static final OptionType<OptionalLong> BYTES_OR_OFF =
      new OptionType<>(
          "bytes",
          "a size such as 64MiB or 2GiB, or off",
          text -> text.equals(OFF) ? OptionalLong.empty() : OptionalLong.of(parseBytes(text)));

  static final OptionType<Optional<Path>> PATH_OR_OFF =
      new OptionType<>(
          "path",
          "a path, or off",
          text -> text.equals(OFF) ? Optional.empty() : Optional.of(parsePath(text)));

  static final OptionType<Optional<CairnOptions.SetSize>> SET_OR_OFF =
      new OptionType<>(
          "K+M",
          "two whole numbers such as 7+1 or 6+2, from 1 on and at most 255 together, or off",
          text -> text.equals(OFF) ? Optional.empty() : Optional.of(parseSet(text)));

  static final OptionType<String> GROUP =
      new OptionType<>("text", "any text of 1 to 200 characters", OptionType::parseGroup);

  static final OptionType<CairnOptions.Commit> COMMIT = ofEnum(CairnOptions.Commit.class);

  static final OptionType<CairnOptions.Encode> ENCODE = ofEnum(CairnOptions.Encode.class);

  static final OptionType<CairnOptions.Direct> DIRECT = ofEnum(CairnOptions.Direct.class);

  static final OptionType<CairnOptions.Pages> PAGES = ofEnum(CairnOptions.Pages.class);

  static final OptionType<CairnOptions.Restore> RESTORE = ofEnum(CairnOptions.Restore.class);

  static final OptionType<CairnOptions.SafePoints> SAFE_POINTS =
      ofEnum(CairnOptions.SafePoints.class);

  static final OptionType<CairnOptions.LogLevel> LOG_LEVEL = ofEnum(CairnOptions.LogLevel.class);

  static OptionType<Integer> positive(int max) {
    return new OptionType<>(
        "count",
        "a whole number from 1 to %,d".formatted(max),
        text -> (int) parseWhole(text, max));
  }

  T parse(String text) {
    return parser.apply(text);
  }

  private static <E extends Enum<E>> OptionType<E> ofEnum(Class<E> type) {
    String expected =
        String.join(
            " or ",
            Arrays.stream(type.getEnumConstants())
                .map(e -> e.name().toLowerCase(Locale.ROOT))
                .toList());
    return new OptionType<>(
        "word", expected, text -> Enum.valueOf(type, text.toUpperCase(Locale.ROOT)));
  }

  private static boolean parseBoolean(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> throw new IllegalArgumentException();
    };
  }

  private static Path parsePath(String text) {
    if (text.isEmpty()) {
      throw new IllegalArgumentException();
    }
    return Path.of(text);
  }

  private static String parseName(String text) {
    if (!NAME_TEXT.matcher(text).matches()) {
      throw new IllegalArgumentException();
    }
    return text;
  }

  private static String parseGroup(String text) {
    if (text.isEmpty() || text.length() > 200) {
      throw new IllegalArgumentException();
    }
    return text;
  }

  private static CairnOptions.SetSize parseSet(String text) {
    String[] numbers = text.split("\\+", -1);
    if (numbers.length != 2) {
      throw new IllegalArgumentException();
    }
    return new CairnOptions.SetSize(
        (int) parseWhole(numbers[0], 254), (int) parseWhole(numbers[1], 254));
  }

  private static long parseWhole(String text, long max) {
    long value = Long.parseLong(text);
    if (value < 1 || value > max) {
      throw new IllegalArgumentException();
    }
    return value;
  }

  private static Duration parseDuration(String text) {
    Matcher matcher = DURATION_TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException();
    }
    long count = Long.parseLong(matcher.group(1));
    Duration duration =
        switch (matcher.group(2)) {
          case "ms" -> Duration.ofMillis(count);
          case "s" -> Duration.ofSeconds(count);
          case "m" -> Duration.ofMinutes(count);
          default -> Duration.ofHours(count);
        };
    return positive(duration);
  }

  /** Refuses durations that aren't above zero, and those whose nanoseconds a long can't hold. */
  static Duration positive(Duration duration) {
    if (duration.isZero() || duration.isNegative() || duration.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException();
    }
    return duration;
  }

  private static long parseBytes(String text) {
    Matcher matcher = BYTES_TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException();
    }
    long unit =
        switch (matcher.group(2)) {
          case "B" -> 1L;
          case "KiB" -> 1L << 10;
          case "MiB" -> 1L << 20;
          case "GiB" -> 1L << 30;
          default -> 1L << 40;
        };
    long bytes = Math.multiplyExact(Long.parseLong(matcher.group(1)), unit);
    if (bytes < 1) {
      throw new IllegalArgumentException();
    }
    return bytes;
  }
}
