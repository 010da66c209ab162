// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import io.cairn.natives.NativeWrittenPages;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.util.Statistics;

/**
 * Runs the JMH classes and sets each figure beside its reference: the method of the same class,
 * with the same parameters, whose name begins with {@value #REFERENCE}.
 */
final class JmhBenchmarks {

  static final String REFERENCE = "reference";

  /** Of the names of their figures. */
  static final String PREFIX = "jmh.";

  private JmhBenchmarks() {}

  /** Takes JMH's own arguments. */
  static void run(List<String> arguments, Figures figures) throws Exception {
    CommandLineOptions options;
    try {
      options = new CommandLineOptions(arguments.toArray(String[]::new));
    } catch (CommandLineOptionException e) {
      throw new UsageException(e.getMessage());
    }
    if (options.shouldHelp()) {
      options.showHelp();
    } else if (options.shouldList()) {
      new Runner(options).list();
    } else if (options.shouldListWithParams()) {
      new Runner(options).listWithParams(options);
    } else if (options.shouldListProfilers()) {
      options.listProfilers();
    } else {
      measure(options, figures);
    }
  }

  private static void measure(CommandLineOptions options, Figures figures) throws RunnerException {
    Table table = compare(new Runner(measurable(options)).run(), figures);
    System.out.println();
    table.print(System.out);
  }

  /** Without what this kernel doesn't have. */
  static org.openjdk.jmh.runner.options.Options measurable(
      org.openjdk.jmh.runner.options.Options options) {
    try (NativeWrittenPages pages = new NativeWrittenPages()) {
      if (pages.available()) {
        return options;
      }
      System.out.println("no " + ScanBenchmark.class.getSimpleName() + ": " + pages.describe());
    }
    return new OptionsBuilder()
        .parent(options)
        .exclude("\\." + ScanBenchmark.class.getSimpleName() + "\\.")
        .build();
  }

  /** One row for each figure that has a reference. */
  static Table compare(Collection<RunResult> results, Figures figures) {
    Map<String, RunResult> references = new LinkedHashMap<>();
    List<RunResult> others = new ArrayList<>();
    for (RunResult result : results) {
      if (method(result.getParams()).startsWith(REFERENCE)) {
        references.put(key(result.getParams()), result);
      } else {
        others.add(result);
      }
    }
    Table table = new Table("benchmark", "with", "Cairn", "reference", "unit", "ratio");
    for (RunResult result : others) {
      Result<?> primary = result.getPrimaryResult();
      RunResult reference = references.get(key(result.getParams()));
      String name = simpleClass(result.getParams()) + "." + method(result.getParams());
      if (reference == null) {
        table.row(
            name, parameters(result.getParams()), number(primary), "", primary.getScoreUnit(), "");
      } else {
        Result<?> theirs = reference.getPrimaryResult();
        double mine = median(primary);
        double other = median(theirs);
        figures.add(
            (PREFIX + name + " " + parameters(result.getParams())).strip(),
            mine,
            other,
            primary.getScoreUnit().replace("/op", ""),
            spread(primary) + spread(theirs));
        table.row(
            name,
            parameters(result.getParams()),
            number(primary),
            number(theirs),
            primary.getScoreUnit(),
            Table.ratio(mine, other));
      }
    }
    return table;
  }

  private static String number(Result<?> result) {
    return Table.number(median(result)) + " ± " + Math.round(100 * spread(result)) + "%";
  }

  // As of epochs: an iteration during which the machine did something else doesn't count.
  private static double median(Result<?> result) {
    return result.getStatistics().getPercentile(50);
  }

  /** Half of what the middle half of the iterations covers, as a part of the median. */
  private static double spread(Result<?> result) {
    Statistics all = result.getStatistics();
    return (all.getPercentile(75) - all.getPercentile(25)) / 2 / median(result);
  }

  private static String key(BenchmarkParams params) {
    return simpleClass(params) + " " + parameters(params);
  }

  private static String parameters(BenchmarkParams params) {
    List<String> values = new ArrayList<>();
    for (String name : params.getParamsKeys()) {
      values.add(name + "=" + params.getParam(name));
    }
    return String.join(" ", values);
  }

  private static String method(BenchmarkParams params) {
    String name = params.getBenchmark();
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static String simpleClass(BenchmarkParams params) {
    String name = params.getBenchmark();
    String type = name.substring(0, name.lastIndexOf('.'));
    return type.substring(type.lastIndexOf('.') + 1);
  }
}
