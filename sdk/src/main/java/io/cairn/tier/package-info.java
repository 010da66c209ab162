// SPDX-License-Identifier: Apache-2.0
/**
 * Slower tiers: what is kept of an epoch elsewhere than in the ranks' own stores, and how images
 * come back from there.
 *
 * <pre>
 * epoch committed -> {@link io.cairn.tier.Protector} -> {@code PartnerTask}: a copy at a rank of another failure group
 *                                    -> {@code SetTask}:     parity at ranks of other failure groups
 *                                    -> {@code Flusher}:     a copy in a directory that all nodes see
 * start           -> {@link io.cairn.tier.Recovery}: copied, fetched or decoded, before the restore
 * </pre>
 *
 * <p>Of n members of a redundancy set any m may be lost. Each image is cut into k = n - m chunks
 * c0, c1, ...; what short images lack counts as zeros, and is neither sent nor read. There are n
 * stripes of k chunks and m parity shards, of which each member has one:
 *
 * <pre>
 *              n = 4, m = 1                        n = 5, m = 2
 *              position 0   1   2   3              position 0   1   2   3   4
 *   stripe 0            p0  c0  c1  c2                      p0  p1  c0  c1  c2
 *   stripe 1            c2  p0  c0  c1                      c2  p0  p1  c0  c1
 *   stripe 2            c1  c2  p0  c0                      c1  c2  p0  p1  c0
 *   stripe 3            c0  c1  c2  p0                      c0  c1  c2  p0  p1
 *   stripe 4                                                p1  c0  c1  c2  p0
 * </pre>
 *
 * <p>A parity shard is a file. All integers are little-endian, {@code u32} has 4 bytes, {@code u64}
 * 8; nothing lies between the parts.
 *
 * <pre>
 * ParityFile   --> ParityHeader, Piece*, ParityIndex, ParityFooter
 * ParityHeader --> Magic:u32 "CNRP", FormatVersion:u32, JobUuid:u64 u64, Generation:u64, Epoch:u64, EncodedBy:u64,
 *                  Set:u32, Stripe:u32, Row:u32, PieceBytes:u32, ShardBytes:u64, Reserved:u32, HeaderCrc:u32
 * Piece        --> PieceBytes bytes of parity; the last one has what is left of ShardBytes
 * ParityIndex  --> PieceCrc:u32 for each piece
 * ParityFooter --> IndexOffset:u64, IndexCrc:u32, TotalLength:u64, Magic:u32 "PCNE"
 * </pre>
 *
 * <p>All checksums are CRC32C. The digest of a parity file is HeaderCrc * 2^32 + IndexCrc: the
 * index has the checksums of all pieces, so it stands for the whole file.
 *
 * <p>What a store holds for others says its protection record, a {@link io.cairn.image.StateFile}
 * of kind {@code protection} with these lines:
 *
 * <pre>
 * ProtectionRecord --> "tier=" Tier, "uuid=" JobUuid, "world=" WorldSize, "generation=" Generation, "epoch=" Epoch,
 *                      "by=" EncodedBy, "digest=" JobDigest, Copy*, EncodedSet*
 * Copy             --> "copy=" Rank " " Length " " Digest
 * EncodedSet       --> "set=" Set " " ParityShards " " ChunkBytes, Member*, HeldShard*
 * Member           --> "member=" Rank " " Length " " Digest
 * HeldShard        --> "shard=" Stripe " " Row " " Length " " Digest
 * Tier             --> "partner" | "set"
 * </pre>
 */
package io.cairn.tier;
