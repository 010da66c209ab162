// SPDX-License-Identifier: Apache-2.0

/**
 * The image: everything that one rank saved for one epoch, in one file; and the record that names
 * the images of a store.
 *
 * <p>Works without MPI and without any native library of Cairn's, so that images can be listed and
 * checked anywhere.
 *
 * <p>Grammar. Integers are little-endian and unsigned within Java's signed range; {@code u32} has 4
 * bytes, {@code u64} 8. Nothing lies between the parts: every byte of the file belongs to exactly
 * one of them and is covered by a checksum, or is a zero of the padding.
 *
 * <pre>
 * Image     --> Header, Payload*, Index, Footer
 * Header    --> Magic:u64 "CAIRNIMG", FormatVersion:u32, HeaderLength:u32, ByteOrderMark:u32, Flags:u32, PageBytes:u64,
 *               JobUuid:u64 u64, Generation:u64, Epoch:u64, SafePoint:u64, Rank:u32, WorldSize:u32, BlockBytes:u32,
 *               JobIdLength:u32, JobId:utf8, HeaderPadding:zeros, HeaderCrc:u32
 * Payload   --> zeros up to a multiple of 4096, if its Codec is RAW and its StoredLength 65536 or more; then its stored
 *               bytes, as its Codec says; absent for ZERO and PARENT
 * Index     --> Magic:u64 "CAIRNIDX", SectionCount:u32, AncestorCount:u32, Section*, Ancestor*
 * Section   --> Kind:u32, ElementType:u32, NameLength:u32, Name:utf8, LengthBytes:u64, ExtentCount:u64, Extent*
 * Extent    --> Codec:u32, RawLength:u32, StoredLength:u32, StoredCrc:u32
 * Ancestor  --> AncestorEpoch:u64, AncestorLength:u64, AncestorDigest:u64
 * Footer    --> IndexOffset:u64, IndexLength:u64, TotalLength:u64, IndexCrc:u32, FooterCrc:u32, Magic:u64 "CAIRNEND"
 * Kind      --> REGION(1) | CALLBACK(2) | ARRAY(3) | COUNTS(4) | CHANNELS(5)
 * Codec     --> ZERO(0) | RAW(1) | LZ4(2) | PARENT(3)
 * ElementType --> NONE(0) | BOOLEAN(1) | BYTE(2) | CHAR(3) | SHORT(4) | INT(5) | LONG(6) | FLOAT(7) | DOUBLE(8)
 * </pre>
 *
 * <p>The extents of a section follow each other and fill it. A section is divided into blocks of
 * {@code BlockBytes}, the last one shorter, and no {@code ZERO}, {@code RAW} or {@code LZ4} reaches
 * from one into the next. Where payloads are follows from the lengths of those before them.
 *
 * <p>{@code PARENT} says that bytes are those that the first ancestor, the <em>parent</em>, had in
 * its section of the same kind, type, name and length, at the same place. The parent may have them
 * from its own parent, which is the second ancestor, and so on: together they are a <em>chain</em>,
 * all of one rank and launch, and the last is a <em>full</em> image, that has no ancestors. An
 * image names all its ancestors, by length and digest.
 *
 * <p>All checksums are CRC32C. {@code StoredCrc} covers the stored bytes and is checked before a
 * decompressor sees them (most damaged LZ4 blocks decode without an error). An LZ4 payload begins
 * with the checksum of the bytes that the application had, which is checked after, so that a fault
 * of codec or memory in between is found as well. {@code ByteOrderMark} is 0x01020304 in the byte
 * order of the saved memory. Magic, FormatVersion, HeaderLength and the trailing HeaderCrc keep
 * their places in every format version, so that an image of another version can be named as such.
 *
 * <p>The digest of an image is the first 8 bytes, as a little-endian integer, of the SHA-256 of its
 * header, index and footer; as the index holds the checksums of all payloads and the digests of all
 * ancestors, it stands for the whole file and for what it refers to.
 */
package io.cairn.image;
