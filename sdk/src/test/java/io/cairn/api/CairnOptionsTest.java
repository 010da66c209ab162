// SPDX-License-Identifier: Apache-2.0
package io.cairn.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CairnOptionsTest {

  private static final Map<String, String> NOTHING = Map.of();

  private static CairnOptions byProperty(String name, String value) {
    return CairnOptions.defaults().resolved(Map.of(name, value), NOTHING);
  }

  @Test
  void shouldPreferPropertyOverEnvironmentOverBuilderOverDefault() {
    CairnOptions built = CairnOptions.builder().keep(3).build();

    assertEquals(2, CairnOptions.defaults().resolved(NOTHING, NOTHING).keep());
    assertEquals(3, built.resolved(NOTHING, NOTHING).keep());
    assertEquals(4, built.resolved(NOTHING, Map.of("CAIRN_KEEP", "4")).keep());
    assertEquals(5, built.resolved(Map.of("cairn.keep", "5"), Map.of("CAIRN_KEEP", "4")).keep());
  }

  @Test
  void shouldReadDottedNamesFromTheEnvironmentWithUnderscores() {
    CairnOptions options =
        CairnOptions.defaults().resolved(NOTHING, Map.of("CAIRN_DRAIN_DEADLINE", "250ms"));

    assertEquals(Duration.ofMillis(250), options.drainDeadline());
  }

  @Test
  void shouldReadEveryTypeOfValue() {
    CairnOptions options =
        CairnOptions.defaults()
            .resolved(
                Map.of(
                    "cairn.enabled", "false",
                    "cairn.dir", "/tmp/x",
                    "cairn.job", "heat-3",
                    "cairn.interval", "off",
                    "cairn.every", "12",
                    "cairn.staging", "512MiB",
                    "cairn.hold.timeout", "2m",
                    "cairn.cut.timeout", "off",
                    "cairn.restore", "fresh",
                    "cairn.log", "verbose"),
                NOTHING);

    assertEquals(false, options.enabled());
    assertEquals(Path.of("/tmp/x"), options.dir());
    assertEquals("heat-3", options.job());
    assertEquals(Optional.empty(), options.interval());
    assertEquals(OptionalLong.of(12), options.everySafePoints());
    assertEquals(OptionalLong.of(512L << 20), options.stagingBytes());
    assertEquals(Duration.ofMinutes(2), options.holdTimeout());
    assertEquals(Optional.empty(), options.cutTimeout());
    assertEquals(CairnOptions.Restore.FRESH, options.restore());
    assertEquals(CairnOptions.LogLevel.VERBOSE, options.log());
  }

  @Test
  void shouldTellHowImagesAreWritten() {
    assertEquals(CairnOptions.Encode.AUTO, CairnOptions.defaults().encode());
    assertEquals(OptionalLong.empty(), CairnOptions.defaults().storeBandwidthBytes());
    CairnOptions program =
        CairnOptions.builder().encode(CairnOptions.Encode.FAST).storeBandwidthBytes(123).build();
    assertEquals(CairnOptions.Encode.FAST, program.encode());
    assertEquals(OptionalLong.of(123), program.storeBandwidthBytes());
    CairnOptions operator =
        program.resolved(Map.of("cairn.encode", "auto"), Map.of("CAIRN_STORE_BANDWIDTH", "200MiB"));
    assertEquals(CairnOptions.Encode.AUTO, operator.encode());
    assertEquals(OptionalLong.of(200 << 20), operator.storeBandwidthBytes());
    assertEquals(
        OptionalLong.empty(),
        program.resolved(Map.of("cairn.store.bandwidth", "off"), NOTHING).storeBandwidthBytes());
  }

  @Test
  void shouldTellWhetherRanksRunFreeAndForHowLongTheirCallsAreHeld() {
    assertEquals(CairnOptions.SafePoints.ALIGNED, CairnOptions.defaults().safePoints());
    CairnOptions program =
        CairnOptions.builder()
            .safePoints(CairnOptions.SafePoints.FREE)
            .holdLimit(Duration.ofMinutes(3))
            .build();
    assertEquals(CairnOptions.SafePoints.FREE, program.safePoints());
    assertEquals(Duration.ofMinutes(3), program.holdLimit());
    CairnOptions operator =
        program.resolved(Map.of("cairn.safepoints", "aligned"), Map.of("CAIRN_HOLD_LIMIT", "90s"));
    assertEquals(CairnOptions.SafePoints.ALIGNED, operator.safePoints());
    assertEquals(Duration.ofSeconds(90), operator.holdLimit());
  }

  @ParameterizedTest
  @CsvSource({
    "cairn.kep, cairn.keep",
    "cairn.intervall, cairn.interval",
    "cairn.drain-deadline, cairn.drain.deadline",
    "cairn.Dir, cairn.dir"
  })
  void shouldRefuseAnUnknownPropertyAndListNearNames(String unknown, String near) {
    OptionException e = assertThrows(OptionException.class, () -> byProperty(unknown, "1"));

    assertTrue(e.getMessage().contains(unknown), e.getMessage());
    assertTrue(e.getMessage().contains("did you mean " + near), e.getMessage());
  }

  @Test
  void shouldRefuseAnUnknownVariableAndListAllNamesWhenNoneIsNear() {
    OptionException e =
        assertThrows(
            OptionException.class,
            () -> CairnOptions.defaults().resolved(NOTHING, Map.of("CAIRN_ZXQWVPOIU", "1")));

    assertTrue(e.getMessage().contains("CAIRN_ZXQWVPOIU"), e.getMessage());
    for (Option<?> option : Option.ALL) {
      assertTrue(e.getMessage().contains(option.variable()), e.getMessage());
    }
  }

  @Test
  void shouldLeaveReservedAndForeignNamesAlone() {
    CairnOptions options =
        CairnOptions.defaults()
            .resolved(
                Map.of("cairn.test.fault", "x", "cairnX", "y", "java.home", "z"),
                Map.of(
                    "CAIRN_TEST_FAULT",
                    "x",
                    "CAIRN_INTERNAL_A",
                    "y",
                    "CAIRNS",
                    "z",
                    "CAIRN_DRAIN",
                    "always"));

    assertEquals(List.of(), options.describe());
  }

  @ParameterizedTest
  @CsvSource({
    "cairn.enabled, yes, true or false",
    "cairn.encode, tiny, fast or small or auto",
    "cairn.store.bandwidth, 0B, 'a size such as 64MiB or 2GiB, or off'",
    "cairn.store.bandwidth, auto, 'a size such as 64MiB or 2GiB, or off'",
    "cairn.keep, 0, 'a whole number from 1 to 1,000'",
    "cairn.keep, two, 'a whole number from 1 to 1,000'",
    "cairn.keep, 99999999999, 'a whole number from 1 to 1,000'",
    "cairn.every, 0, 'a whole number from 1 on, or off'",
    "cairn.interval, automatic, 'such as 500ms, 10s, 5m or 2h, or off, or auto'",
    "cairn.mtbf, off, 'such as 500ms, 10s, 5m or 2h, or auto'",
    "cairn.mtbf.all, auto, 'such as 500ms, 10s, 5m or 2h'",
    "cairn.partner, automatic, 'a whole number from 1 on, or off, or auto'",
    "cairn.set.every, off, 'a whole number from 1 to 1,000,000, or auto'",
    "cairn.shared.every, 0, 'a whole number from 1 to 1,000,000, or auto'",
    "cairn.mtbf, 0h, 'such as 500ms, 10s, 5m or 2h, or auto'",
    "cairn.interval, 10, 'such as 500ms, 10s, 5m or 2h, or off'",
    "cairn.interval, 0s, 'such as 500ms, 10s, 5m or 2h, or off'",
    "cairn.interval, 999999999999h, 'such as 500ms, 10s, 5m or 2h, or off'",
    "cairn.drain.deadline, off, a duration above zero",
    "cairn.staging, 10MB, 'a size such as 64MiB or 2GiB, or auto'",
    "cairn.staging, 99999999999999TiB, 'a size such as 64MiB or 2GiB, or auto'",
    "cairn.channel.limit, auto, a size such as 64MiB or 2GiB",
    "cairn.job, ../x, 'letters, digits'",
    "cairn.job, '', 'letters, digits'",
    "cairn.dir, '', a path",
    "cairn.restore, never, auto or fresh",
    "cairn.log, debug, quiet or info or verbose"
  })
  void shouldSayOptionFoundExpectedAndOriginOfABadValue(
      String name, String value, String expected) {
    OptionException e = assertThrows(OptionException.class, () -> byProperty(name, value));

    assertTrue(e.getMessage().contains("option " + name), e.getMessage());
    assertTrue(e.getMessage().contains("\"" + value + "\""), e.getMessage());
    assertTrue(e.getMessage().contains("system property " + name), e.getMessage());
    assertTrue(e.getMessage().contains(expected), e.getMessage());
  }

  @Test
  void shouldRefuseABadValueInTheBuilderAtOnce() {
    CairnOptions.Builder builder = CairnOptions.builder();

    assertThrows(OptionException.class, () -> builder.keep(0));
    assertThrows(OptionException.class, () -> builder.job("a/b"));
    assertThrows(OptionException.class, () -> builder.stagingBytes(-1));
    assertThrows(OptionException.class, () -> builder.interval(Duration.ZERO));
    assertThrows(
        OptionException.class, () -> builder.meanTimeBetweenFailures(Duration.ofDays(4_000)));
    assertThrows(OptionException.class, () -> builder.lockWait(Duration.ofSeconds(-1)));
  }

  @Test
  void shouldTakeAnIntervalThatIsChosen() {
    CairnOptions options = CairnOptions.defaults();
    assertFalse(options.automaticInterval());
    assertEquals(Optional.empty(), options.meanTimeBetweenFailures());

    CairnOptions program =
        CairnOptions.builder()
            .automaticInterval()
            .meanTimeBetweenFailures(Duration.ofHours(8))
            .build();
    assertTrue(program.automaticInterval());
    assertEquals(Optional.empty(), program.interval());
    assertEquals(Optional.of(Duration.ofHours(8)), program.meanTimeBetweenFailures());

    CairnOptions operator =
        program.resolved(Map.of("cairn.interval", "30s"), Map.of("CAIRN_MTBF", "auto"));
    assertFalse(operator.automaticInterval());
    assertEquals(Optional.of(Duration.ofSeconds(30)), operator.interval());
    assertEquals(Optional.empty(), operator.meanTimeBetweenFailures());
    assertTrue(byProperty("cairn.interval", "auto").automaticInterval());
    assertEquals(
        Optional.of(Duration.ofHours(2)), byProperty("cairn.mtbf", "2h").meanTimeBetweenFailures());
  }

  @Test
  void shouldTakePeriodsOfTiersThatAreChosen() {
    CairnOptions options = CairnOptions.defaults();
    assertFalse(options.automaticPartner());
    assertEquals(OptionalLong.empty(), options.partner());
    assertEquals(OptionalLong.of(1), options.setEvery());
    assertEquals(OptionalLong.of(1), options.sharedEvery());
    assertEquals(Optional.empty(), options.meanTimeBetweenNodeLosses());
    assertEquals(Duration.ofDays(30), options.meanTimeBetweenTotalLosses());

    CairnOptions program = CairnOptions.builder().automaticPartner().build();
    assertTrue(program.automaticPartner());
    assertEquals(OptionalLong.empty(), program.partner());
    CairnOptions operator =
        program.resolved(
            Map.of(
                "cairn.partner", "3",
                "cairn.set.every", "auto",
                "cairn.shared.every", "auto",
                "cairn.mtbf.node", "50h"),
            Map.of("CAIRN_MTBF_ALL", "100h"));
    assertFalse(operator.automaticPartner());
    assertEquals(OptionalLong.of(3), operator.partner());
    assertEquals(OptionalLong.empty(), operator.setEvery());
    assertEquals(OptionalLong.empty(), operator.sharedEvery());
    assertEquals(Optional.of(Duration.ofHours(50)), operator.meanTimeBetweenNodeLosses());
    assertEquals(Duration.ofHours(100), operator.meanTimeBetweenTotalLosses());
  }

  @Test
  void shouldNotChangeWhenItsBuilderIsUsedFurther() {
    CairnOptions.Builder builder = CairnOptions.builder().interval(Duration.ofSeconds(7));
    CairnOptions first = builder.build();
    builder.interval(Duration.ofSeconds(8));

    assertEquals(Optional.of(Duration.ofSeconds(7)), first.interval());
    assertEquals(Optional.of(Duration.ofSeconds(8)), builder.build().interval());
    assertEquals(first.interval(), first.toBuilder().keep(9).build().interval());
  }

  @Test
  void shouldDescribeWhatWasSetAndByWhom() {
    CairnOptions options =
        CairnOptions.builder()
            .keep(3)
            .job("heat")
            .build()
            .resolved(Map.of("cairn.job", "cold"), Map.of("CAIRN_LOG", "quiet"));

    assertEquals(
        List.of(
            "cairn.job=cold (system property cairn.job)",
            "cairn.keep=3 (set by the program)",
            "cairn.log=quiet (environment variable CAIRN_LOG)"),
        options.describe());
  }

  @Test
  void shouldHaveDefaultsThatItsOwnParsersAccept() {
    CairnOptions options = CairnOptions.defaults();

    assertEquals(true, options.enabled());
    assertEquals(Optional.of(Duration.ofMinutes(10)), options.interval());
    assertEquals(OptionalLong.empty(), options.everySafePoints());
    assertEquals(OptionalLong.empty(), options.stagingBytes());
    assertEquals(1L << 30, options.channelLimitBytes());
    assertEquals(Duration.ofSeconds(10), options.lockWait());
    for (Option<?> option : Option.ALL) {
      if (!option.defaultText().isEmpty()) {
        option.parse(option.defaultText(), "default");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "org.example.Heat --steps 10, Heat",
    "Heat, Heat",
    "heat.module/org.example.Heat x, Heat",
    "/opt/app/solver-1.2.jar --n 3, solver-1.2",
    "'', job",
    "/opt/odd name, odd",
    "$x, job"
  })
  void shouldNameTheJobAfterTheProgram(String command, String job) {
    assertEquals(job, MainClass.nameFrom(command));
  }
}
