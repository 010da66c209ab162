// SPDX-License-Identifier: Apache-2.0
package io.cairn.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MatrixMarketTest {

  private static final String GENERAL = "%%MatrixMarket matrix coordinate real general\n";
  private static final String SYMMETRIC = "%%MatrixMarket matrix coordinate real symmetric\n";

  @TempDir Path folder;

  private SparseRows read(String text, int first, int rows) throws IOException {
    Path file = folder.resolve("a.mtx");
    Files.writeString(file, text);
    return MatrixMarket.read(
        file,
        new MatrixMarket.Partition() {
          @Override
          public int firstRow(int order) {
            return first;
          }

          @Override
          public int rows(int order) {
            return rows;
          }
        });
  }

  private static String text(SparseRows rows) {
    StringBuilder text = new StringBuilder();
    for (int row = 0; row < rows.rows(); row++) {
      for (int entry = rows.start(row); entry < rows.start(row + 1); entry++) {
        text.append(
            "(%d,%d)=%s ".formatted(rows.firstRow() + row, rows.column(entry), rows.value(entry)));
      }
    }
    return text.toString().strip();
  }

  @Test
  void shouldSortEntriesAndAddUpThoseOfOnePlace() throws IOException {
    SparseRows rows =
        read(GENERAL + "% a comment\n\n3 3 5\n3 1 7\n1 3 2\n1 1 1.5e0\n1 1 2\n2 2 -4\n", 0, 3);

    assertEquals("(0,0)=3.5 (0,2)=2.0 (1,1)=-4.0 (2,0)=7.0", text(rows));
  }

  @Test
  void shouldMirrorASymmetricMatrixAndKeepOwnRowsOnly() throws IOException {
    String matrix = SYMMETRIC + "3 3 4\n1 1 1\n2 1 2\n3 2 3\n3 3 4\n";

    assertEquals("(1,0)=2.0 (1,2)=3.0", text(read(matrix, 1, 1)));
    assertEquals("(0,0)=1.0 (0,1)=2.0", text(read(matrix, 0, 1)));
    assertEquals("(2,1)=3.0 (2,2)=4.0", text(read(matrix, 2, 1)));
  }

  @Test
  void shouldReadBackThePoissonMatrixItWrites() throws IOException {
    StringWriter out = new StringWriter();
    MatrixMarket.writePoisson(7, out);

    assertEquals(text(SparseRows.poisson(7, 10, 25)), text(read(out.toString(), 10, 25)));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | line 1: found the end of the file",
        "%%MatrixMarket matrix array real general | line 1: .*coordinate and real",
        "%%MatrixMarket matrix coordinate complex general | line 1: .*coordinate and real",
        "%%MatrixMarket matrix coordinate real hermitian | line 1: .*general or symmetric",
        "GENERAL3 4 1 | line 2: .*a square matrix",
        "GENERAL3 3 | line 2: .*three numbers",
        "GENERAL3 3 1;4 1 1 | line 3: found \"4 1 1\", expected a row from 1 to 3",
        "GENERAL3 3 1;1 0 1 | line 3: .*a column from 1 to 3",
        "GENERAL3 3 1;1 1 x | line 3: .*a finite value",
        "GENERAL3 3 1;1 1 NaN | line 3: .*a finite value",
        "GENERAL3 3 1;1 1 | line 3: .*row, column and value",
        "GENERAL3 3 2;1 1 1 | line 4: found the end of the file, expected 2 entries, of which 1",
        "GENERAL3 3 1;% note;1 1 1;2 2 2 | line 5: .*the end of the file after 1 entries",
        "SYMMETRIC3 3 1;1 2 1 | line 3: .*on or below the diagonal",
      })
  void shouldNameTheLineOfAMistake(String template, String expected) {
    String text =
        template.replace("GENERAL", GENERAL).replace("SYMMETRIC", SYMMETRIC).replace(';', '\n');
    IOException e = assertThrows(IOException.class, () -> read(text, 0, 1));

    assertTrue(e.getMessage().contains("a.mtx"), e.getMessage());
    assertTrue(e.getMessage().matches(".*" + expected + ".*"), e.getMessage());
  }
}
