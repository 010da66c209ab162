// SPDX-License-Identifier: Apache-2.0
package io.cairn.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Starts two ranks and reads the figures that they print: lines of a name and a number. */
final class Mpirun {

  private static final int RANKS = 2;

  private Mpirun() {}

  /** Runs a program whose first word is an executable file. */
  static Map<String, Double> run(List<String> mpirunOptions, List<String> program)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("mpirun", "-np", Integer.toString(RANKS)));
    command.addAll(mpirunOptions);
    command.addAll(program);
    return run(command);
  }

  private static Map<String, Double> run(List<String> command)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectError(Redirect.INHERIT);
    // Harmless where they aren't needed: as root, mpirun asks twice.
    builder.environment().put("OMPI_ALLOW_RUN_AS_ROOT", "1");
    builder.environment().put("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    // A rank that waits keeps its core, as in production: nothing else wants it here. Where ranks
    // are
    // told to yield, each look for a message is a system call.
    builder.environment().remove("OMPI_MCA_mpi_yield_when_idle");
    builder.environment().remove("OMPI_MCA_rmaps_base_oversubscribe");
    Process process = builder.start();
    process.getOutputStream().close();
    Map<String, Double> figures = new LinkedHashMap<>();
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        read(line, figures);
      }
    }
    int code = process.waitFor();
    if (code != 0) {
      throw new IOException("mpirun ended with " + code + ": " + String.join(" ", command));
    }
    return figures;
  }

  private static void read(String line, Map<String, Double> figures) {
    String[] words = line.trim().split(" ", -1);
    if (words.length == 2 && words[1].matches("-?[0-9.]+")) {
      figures.put(words[0], Double.valueOf(words[1]));
    } else {
      System.out.println(line);
    }
  }

  /** Runs a main class on this JVM's class path. */
  static Map<String, Double> java(
      List<String> mpirunOptions, List<String> jvmOptions, Class<?> main, List<String> arguments)
      throws IOException, InterruptedException {
    return run(mpirunOptions, java(jvmOptions, main, arguments));
  }

  /** The same, with options that each rank has for itself. */
  static Map<String, Double> javaEach(
      List<String> mpirunOptions,
      List<List<String>> ofEachRank,
      List<String> jvmOptions,
      Class<?> main,
      List<String> arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("mpirun"));
    command.addAll(mpirunOptions);
    for (List<String> own : ofEachRank) {
      command.addAll(own == ofEachRank.get(0) ? List.of() : List.of(":"));
      command.addAll(List.of("-np", "1"));
      command.addAll(own);
      command.addAll(java(jvmOptions, main, arguments));
    }
    return run(command);
  }

  private static List<String> java(List<String> jvmOptions, Class<?> main, List<String> arguments) {
    List<String> program = new ArrayList<>();
    program.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    program.add("-cp");
    program.add(System.getProperty("java.class.path"));
    program.addAll(jvmOptions);
    program.add(main.getName());
    program.addAll(arguments);
    return program;
  }
}
