// SPDX-License-Identifier: Apache-2.0
package io.cairn.systemtests;

import io.cairn.systemtests.programs.Ring;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.spi.ToolProvider;

/**
 * What lets hundreds of ranks start quickly on few cores: all classes in jars, and an archive of
 * them that is loaded already (class data sharing, JEP 310 and 350).
 */
final class QuickStart {

  /** The ranks share few cores: what matters is a quick start. */
  private static final List<String> JVM =
      List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx192m", "-ea");

  private static final String JAVA = System.getProperty("java.home") + "/bin/java";

  /** Of these tests' module. */
  private static final Path FOLDER =
      Path.of("target", "quick-start-jdk" + Runtime.version().feature()).toAbsolutePath();

  private static final String CLASS_PATH = classPath();
  private static final String LIBRARY_PATH = libraryPath();
  private static final Path ARCHIVE = FOLDER.resolve("classes.jsa");

  static {
    archive();
  }

  private QuickStart() {}

  static List<String> command(List<String> options) {
    List<String> command = new ArrayList<>(program());
    command.add("-XX:SharedArchiveFile=" + ARCHIVE);
    command.addAll(options);
    command.addAll(List.of("-cp", CLASS_PATH));
    return command;
  }

  /**
   * Behind {@code env}, mpirun doesn't see that it is java, and adds nothing to its options: the
   * working folder in the class path would be one that no archive fits.
   */
  private static List<String> program() {
    List<String> command = new ArrayList<>(List.of("env", JAVA));
    command.addAll(JVM);
    command.add("-Djava.library.path=" + LIBRARY_PATH);
    return command;
  }

  private static String libraryPath() {
    String said = Processes.output(List.of("ompi_info", "--parsable", "--path", "libdir"), 30);
    return said.strip().substring(said.strip().lastIndexOf(':') + 1);
  }

  private static String classPath() {
    // The runner's own class path is a jar that only it understands.
    String real = System.getProperty("surefire.test.class.path");
    String path = real != null ? real : System.getProperty("java.class.path");
    try {
      Files.createDirectories(FOLDER);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<String> entries = new ArrayList<>();
    for (String entry : Arrays.asList(path.split(File.pathSeparator))) {
      if (Files.isDirectory(Path.of(entry))) {
        entries.add(jar(entry, FOLDER.resolve(entries.size() + ".jar")));
      } else if (!entry.isEmpty()) {
        entries.add(entry);
      }
    }
    return String.join(File.pathSeparator, entries);
  }

  private static String jar(String folder, Path jar) {
    int status =
        ToolProvider.findFirst("jar")
            .orElseThrow(() -> new AssertionError("needs a JDK, has no 'jar' tool"))
            .run(System.out, System.err, "--create", "--file", jar.toString(), "-C", folder, ".");
    if (status != 0) {
      throw new AssertionError("can't make " + jar + " of " + folder);
    }
    return jar.toString();
  }

  /** Runs a small job whose JVM leaves its classes there. Without them, ranks start more slowly. */
  private static void archive() {
    Path work = FOLDER.resolve("work");
    try {
      Files.deleteIfExists(ARCHIVE);
      if (Files.exists(work)) {
        Workbench.delete(work);
      }
      Files.createDirectory(work);
      List<String> command = new ArrayList<>(List.of("mpirun", "-n", "1"));
      command.addAll(program());
      command.add("-XX:ArchiveClassesAtExit=" + ARCHIVE);
      command.addAll(List.of("-Dcairn.every=10", "-cp", CLASS_PATH));
      command.addAll(List.of(Ring.class.getName(), "steps=60", "millis=2"));
      ProcessBuilder process = new ProcessBuilder(command).directory(work.toFile());
      Workbench.mpiEnvironment(process.environment(), work, work);
      File log = FOLDER.resolve("archive.log").toFile();
      process.environment().put(Processes.MARK, UUID.randomUUID().toString());
      Process job = process.redirectErrorStream(true).redirectOutput(log).start();
      if (!job.waitFor(MpiJob.DEFAULT_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
        job.destroyForcibly();
      }
      if (!Files.exists(ARCHIVE)) {
        System.out.println("no archive of classes, ranks start slowly: see " + log);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }
}
