// SPDX-License-Identifier: Apache-2.0
package io.cairn.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.natives.MpiCalls.Call;
import io.cairn.natives.MpiCalls.Family;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Each MPI call that this machine's Open MPI offers has its row in the shim's table, and the
 * libraries are as the table says. {@code -Ddocs.update=true} writes docs/mpi-calls.md.
 */
class MpiCallsTest {

  private static final Path DOCUMENT = Path.of("..", "docs", "mpi-calls.md");
  private static final int TIMEOUT_SECONDS = 60;
  private static final int FEWEST_IMPORTS = 250;

  @TempDir static Path temporary;

  private static Map<String, Call> calls;

  @BeforeAll
  static void readTable() throws IOException {
    calls = MpiCalls.read();
  }

  /** Otherwise a message could go past the shim without anybody's having thought of it. */
  @Test
  void shouldHaveARowForEachCallOfTheJavaBindings() throws Exception {
    Set<String> imports = symbols(openMpi("libmpi_java.so"), "--undefined-only");
    assertTrue(
        imports.size() >= FEWEST_IMPORTS,
        () -> "the Java bindings import only " + imports.size() + " symbols: " + imports);
    assertNoneWithoutRow(imports, "libmpi_java.so imports");
  }

  /** The same for C programs. */
  @Test
  void shouldHaveARowForEachCallThatMpiOffers() throws Exception {
    Set<String> exports = symbols(openMpi("libmpi.so"), "--defined-only");
    assertTrue(
        exports.size() >= FEWEST_IMPORTS,
        () -> "libmpi.so exports only " + exports.size() + " symbols: " + exports);
    assertNoneWithoutRow(exports, "libmpi.so exports");
  }

  @Test
  void shouldWrapWhatTheTableSaysAndNothingElse() throws Exception {
    Set<String> wanted =
        calls.values().stream()
            .filter(Call::wrapped)
            .map(Call::symbol)
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> wrapped = symbols(shim(), "--defined-only");
    Set<String> missing = new TreeSet<>(wanted);
    missing.removeAll(wrapped);
    assertEquals(Set.of(), missing, "libcairn.so doesn't define what calls.def says it wraps");
    wrapped.removeAll(wanted);
    assertEquals(Set.of(), wrapped, "libcairn.so wraps what calls.def says is passed, or not");
  }

  @Test
  void shouldBeDocumentedAsItIs() throws IOException {
    String rendered = render();
    if (Boolean.getBoolean("docs.update")) {
      Files.writeString(DOCUMENT, rendered);
    }
    // Its lines are too long to be shown.
    assertTrue(
        rendered.equals(Files.readString(DOCUMENT)),
        "docs/mpi-calls.md is behind calls.def; run this test with -Ddocs.update=true");
  }

  private static void assertNoneWithoutRow(Set<String> symbols, String what) {
    Set<String> without = new TreeSet<>(symbols);
    without.removeAll(calls.keySet());
    assertEquals(
        Set.of(),
        without,
        () -> what + " calls that have no row in " + MpiCalls.TABLE + "; decide what to do with");
  }

  /** A library of the Open MPI that is on the path. */
  private static Path openMpi(String name) throws Exception {
    String key = "path:libdir:";
    String folder =
        run("ompi_info", "--parsable", "--path", "libdir")
            .lines()
            .filter(line -> line.startsWith(key))
            .map(line -> line.substring(key.length()))
            .findFirst()
            .orElseThrow(() -> new AssertionError("ompi_info doesn't say where its libraries are"));
    Path library = Path.of(folder, name);
    assertTrue(Files.exists(library), () -> library + " doesn't exist");
    return library;
  }

  /** The shim as the jar has it. */
  private static Path shim() throws IOException {
    String name = "/META-INF/native/linux-" + NativeLibraries.architecture() + "/libcairn.so";
    Path library = temporary.resolve("libcairn.so");
    try (InputStream in = NativeLibraries.class.getResourceAsStream(name)) {
      assertTrue(in != null, () -> name + " isn't on the class path");
      Files.copy(in, library, StandardCopyOption.REPLACE_EXISTING);
    }
    return library;
  }

  private static Set<String> symbols(Path library, String which) throws Exception {
    Pattern mpi = Pattern.compile("(MPI_\\w+) [UTWV].*");
    return run("nm", "-D", "--without-symbol-versions", "--format=posix", which, library.toString())
        .lines()
        .map(mpi::matcher)
        .filter(Matcher::matches)
        .map(m -> m.group(1))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static String run(String... command) throws Exception {
    Path output = Files.createTempFile(temporary, "output", ".txt");
    Path errors = Files.createTempFile(temporary, "errors", ".txt");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(output.toFile())
            .redirectError(errors.toFile())
            .start();
    if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError(List.of(command) + " did not end");
    }
    String said = Files.readString(errors, StandardCharsets.ISO_8859_1);
    assertEquals(0, process.exitValue(), () -> List.of(command) + " failed: " + said);
    return Files.readString(output, StandardCharsets.ISO_8859_1);
  }

  private static String render() {
    StringBuilder text =
        new StringBuilder(
            """
            # MPI calls

            <!-- Rendered from sdk-native/src/shim/calls.def by MpiCallsTest; change it there. -->

            What the shim does with each call of Open MPI. What is neither captured nor counted either *vetoes* (no
            epoch is begun meanwhile, and the reason is reported), or is passed on unseen because nothing of it
            crosses a cut.
            """);
    for (Family family : Family.values()) {
      text.append("\n## ").append(capital(family.title())).append("\n\n");
      List<Call> members = calls.values().stream().filter(call -> call.family() == family).toList();
      if (members.stream().allMatch(call -> call.text().isEmpty())) {
        text.append(listed(members)).append('\n');
      } else {
        text.append(family == Family.PASSED ? "| why | calls |\n" : "| what | calls |\n");
        text.append("|---|---|\n");
        List<String> reasons = members.stream().map(Call::text).distinct().toList();
        for (String reason : reasons) {
          List<Call> same = members.stream().filter(c -> c.text().equals(reason)).toList();
          text.append("| %s | %s |\n".formatted(reason, listed(same)));
        }
      }
    }
    return text.toString();
  }

  private static String listed(List<Call> some) {
    List<String> names = new ArrayList<>();
    some.forEach(call -> names.add("`" + call.symbol() + "`"));
    return String.join(", ", names);
  }

  private static String capital(String title) {
    return Character.toUpperCase(title.charAt(0)) + title.substring(1);
  }
}
