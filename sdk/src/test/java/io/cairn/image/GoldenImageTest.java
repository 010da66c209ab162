// SPDX-License-Identifier: Apache-2.0
package io.cairn.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.cairn.testing.MemoryFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * The bytes of an image, as they were released and as the documents say. What is written to {@code
 * target/} when a test fails is what a new format version's golden files are made of; those of
 * older versions stay.
 */
final class GoldenImageTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final long DIGEST = 0xafde712231afca4dL;
  private static final Path JAVADOC = Path.of("src/main/java/io/cairn/image/package-info.java");
  private static final Path DOCUMENT = Path.of("../docs/image-format.md");

  @Test
  void shouldReadTheImageOfThisVersion() throws IOException {
    MemoryFiles files = new MemoryFiles();
    files.put(SampleImage.FILE, Files.readAllBytes(GOLDEN.resolve("image-v2.image")));
    try (ImageReader reader = ImageReader.open(files, SampleImage.FILE)) {
      reader.verify();
      assertEquals(SampleImage.HEADER, reader.header());
      assertEquals(List.of(), reader.ancestors());
      assertArrayEquals(SampleImage.region(), section(reader, SectionKind.REGION, "u"));
      assertArrayEquals(new byte[0], section(reader, SectionKind.REGION, "empty"));
      assertArrayEquals(new byte[] {1, 2, 3}, section(reader, SectionKind.CALLBACK, "clock"));
      assertArrayEquals(new byte[16], section(reader, SectionKind.ARRAY, "r"));
      assertArrayEquals(new byte[] {9}, section(reader, SectionKind.COUNTS, ""));
      assertArrayEquals(new byte[] {7, 7}, section(reader, SectionKind.CHANNELS, ""));
      assertEquals(DIGEST, reader.digest());
    }
  }

  @Test
  void shouldReadAnImageWithItsParent() throws IOException {
    MemoryFiles files = new MemoryFiles();
    byte[] parent = Files.readAllBytes(GOLDEN.resolve("image-v2.image"));
    files.put(SampleImage.FILE, parent);
    files.put(SampleImage.CHILD_FILE, Files.readAllBytes(GOLDEN.resolve("child-v2.image")));
    try (ImageChain chain = ImageChain.open(files, SampleImage.CHILD_FILE, SampleImage::file)) {
      chain.newest().verify();
      chain.verify();
      assertEquals(SampleImage.CHILD_HEADER, chain.newest().header());
      assertEquals(
          List.of(new Ancestor(SampleImage.EPOCH, parent.length, DIGEST)),
          chain.newest().ancestors());
      assertArrayEquals(SampleImage.childRegion(), section(chain, SectionKind.REGION, "u"));
      assertArrayEquals(new byte[] {1, 2, 4, 5}, section(chain, SectionKind.CALLBACK, "clock"));
      assertArrayEquals(new byte[16], section(chain, SectionKind.ARRAY, "r"));
      assertArrayEquals(new byte[] {9}, section(chain, SectionKind.COUNTS, ""));
    }
  }

  @Test
  void shouldRefuseTheImageOfAnotherVersionWithBothNumbers() throws IOException {
    MemoryFiles files = new MemoryFiles();
    files.put(SampleImage.FILE, Files.readAllBytes(GOLDEN.resolve("image-v1.image")));
    String message =
        assertThrows(ForeignImageException.class, () -> ImageReader.open(files, SampleImage.FILE))
            .getMessage();
    assertTrue(message.contains("format version: found 1, expected 2"), message);
  }

  private static byte[] section(ImageReader reader, SectionKind kind, String name)
      throws IOException {
    Section section = reader.find(kind, name).orElseThrow();
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) section.lengthBytes());
    reader.read(section, (offset, length) -> bytes.slice((int) offset, length));
    return copy(bytes);
  }

  private static byte[] section(ImageChain chain, SectionKind kind, String name)
      throws IOException {
    Section section = chain.newest().find(kind, name).orElseThrow();
    ByteBuffer bytes = ByteBuffer.allocateDirect((int) section.lengthBytes());
    chain.read(section, (offset, length) -> bytes.slice((int) offset, length));
    return copy(bytes);
  }

  private static byte[] copy(ByteBuffer bytes) {
    byte[] copy = new byte[bytes.capacity()];
    bytes.get(0, copy);
    return copy;
  }

  @Test
  void shouldWriteTheSameBytesAsEver() throws IOException {
    MemoryFiles files = SampleImage.child();
    byte[] image = files.get(SampleImage.FILE);
    byte[] child = files.get(SampleImage.CHILD_FILE);
    Files.write(Path.of("target/image-v2.image"), image);
    Files.write(Path.of("target/child-v2.image"), child);
    assertArrayEquals(Files.readAllBytes(GOLDEN.resolve("image-v2.image")), image);
    assertArrayEquals(Files.readAllBytes(GOLDEN.resolve("child-v2.image")), child);
  }

  @Test
  void shouldHaveTheBytesThatTheGrammarSays() throws IOException {
    MemoryFiles files = SampleImage.child();
    String image = Grammar.of(JAVADOC).dump(files.get(SampleImage.FILE));
    String child = Grammar.of(JAVADOC).dump(files.get(SampleImage.CHILD_FILE));
    Files.writeString(Path.of("target/image-v2.txt"), image);
    Files.writeString(Path.of("target/child-v2.txt"), child);
    assertEquals(Files.readString(GOLDEN.resolve("image-v2.txt")), image);
    assertEquals(Files.readString(GOLDEN.resolve("child-v2.txt")), child);
  }

  @Test
  void shouldHaveTheCodesThatTheGrammarSays() throws IOException {
    Grammar grammar = Grammar.of(JAVADOC);
    Map<String, Integer> kinds = new LinkedHashMap<>();
    for (SectionKind kind : SectionKind.values()) {
      kinds.put(kind.name(), kind.code());
    }
    Map<String, Integer> codecs = new LinkedHashMap<>();
    for (Codec codec : Codec.values()) {
      codecs.put(codec.name(), codec.code());
    }
    Map<String, Integer> types = new LinkedHashMap<>();
    for (ElementType type : ElementType.values()) {
      types.put(type.name(), type.code());
    }
    assertEquals(grammar.codes("Kind"), kinds);
    assertEquals(grammar.codes("Codec"), codecs);
    assertEquals(grammar.codes("ElementType"), types);
  }

  @Test
  void shouldBeDocumentedByTheSameGrammar() throws IOException {
    Map<String, String> documented = Grammar.of(DOCUMENT).productions();
    Grammar.of(JAVADOC)
        .productions()
        .forEach((name, production) -> assertEquals(production, documented.get(name), name));
  }

  @Test
  void shouldNoticeAGrammarThatIsNotWhatTheBytesAre() throws IOException {
    String wrong = Files.readString(JAVADOC).replace("Kind:u32, ElementType:u32", "Kind:u32");
    byte[] sample = SampleImage.bytes();
    assertThrows(
        Throwable.class, () -> new Grammar(wrong.lines().toList()).dump(sample), "shorter section");
  }
}
