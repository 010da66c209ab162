// SPDX-License-Identifier: Apache-2.0
package io.cairn.tier;

import io.cairn.coordinate.MeanTime;
import io.cairn.image.CoreTimes;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * What tiers go by.
 *
 * @param nanoClock a clock in nanoseconds, such as {@code System::nanoTime}
 * @param coreTimes the calling thread's
 * @param failures mean time between the failures that a tier protects against; asked by rank 0, for
 *     tiers whose period is automatic
 */
public record Gauges(
    LongSupplier nanoClock, Supplier<CoreTimes> coreTimes, Function<Tier, MeanTime> failures) {}
