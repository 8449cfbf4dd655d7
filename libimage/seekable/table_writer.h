/// Writes a table of contents while the layer that it describes is written. Internal to the
/// seekable module.
#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/io/stream.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/seekable/seekable.h"
#include "libimage/seekable/table_of_contents.h"

namespace lade::seekable {

/// Where compressed members are, as they are written. Thread-safe.
class MemberPlaces {
 public:
  /// The next member has `size` bytes.
  void add(std::uint64_t size);
  /// Members whose places are known.
  [[nodiscard]] std::uint64_t known() const;
  /// Where member number `member` is; it is known, and no later forget() named a larger number.
  [[nodiscard]] BlobRange place_of(std::uint64_t member) const;
  /// Nobody will ask for the members in front of `member` again.
  void forget(std::uint64_t member);

 private:
  mutable std::mutex mutex_;
  std::deque<std::uint64_t> starts_ = {0};  // guarded by mutex_; the last is that of the next
  std::uint64_t first_ = 0;                 // guarded by mutex_: the member of starts_[0]
};

/// A chunk of a file that fills a member.
struct WrittenChunk {
  std::uint64_t member = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t size = 0;
  std::optional<Digest> digest = {};  ///< nullopt: the file's
  bool zeros = false;                 ///< a hole
};

/// An entry of the tar and where its content went.
struct WrittenEntry {
  TarEntry entry;
  TarHeaderFacts facts;
  std::optional<Digest> digest = {};  ///< of a regular file that is not empty
  std::vector<WrittenChunk> chunks = {};
};

/// Why `entry` cannot be in a table of `format`; "" if it can.
std::string cannot_describe(SeekableFormat format, const TarEntry& entry,
                            const TarHeaderFacts& facts);

/// The table's JSON, entry by entry, as soon as the places of its chunks are known.
class TableWriter {
 public:
  /// Text goes to `out`, which is not finished; both outlive the writer.
  TableWriter(SeekableFormat format, const MemberPlaces& places, Sink& out);
  void add(const WrittenEntry& written);
  /// Writes what is known by now; the first member that is still needed.
  std::uint64_t settle();
  /// All places are known: the rest, and the end.
  void finish(const std::optional<Digest>& tar_split_digest);

 private:
  struct Pending {
    std::string head = {};    // the entry's object, still open
    std::string name = {};    // as JSON, if there are more chunks than one
    std::string digest = {};  // of the file
    std::vector<WrittenChunk> chunks = {};
  };
  void write(const Pending& entry);
  [[nodiscard]] std::string chunk_members(const Pending& entry, const WrittenChunk& chunk) const;

  const SeekableFormat format_;
  const MemberPlaces& places_;
  Sink& out_;
  std::deque<Pending> pending_ = {};
  bool first_ = true;
  std::uint64_t needed_ = 0;
  // eStargz names a user and a group only where the id's last one was another.
  std::vector<std::pair<std::uint32_t, std::string>> users_ = {};
  std::vector<std::pair<std::uint32_t, std::string>> groups_ = {};
};

}  // namespace lade::seekable
