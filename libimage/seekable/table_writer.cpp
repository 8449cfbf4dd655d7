#include "libimage/seekable/table_writer.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "libimage/base/base64.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/json_text.h"

namespace lade::seekable {
namespace {

/// What RFC 3339 can say: the years 1 to 9999.
constexpr std::int64_t kFirstSecond = -62'135'596'800;
constexpr std::int64_t kLastSecond = 253'402'300'799;

bool has_rfc3339(const Timestamp& time) {
  return time.seconds >= kFirstSecond && time.seconds < kLastSecond;
}

struct TypeName {
  char flag;
  std::string_view name;
};
constexpr std::array<TypeName, 7> kTypes = {{
    {'0', "reg"},
    {'1', "hardlink"},
    {'2', "symlink"},
    {'3', "char"},
    {'4', "block"},
    {'5', "dir"},
    {'6', "fifo"},
}};

/// "" for a type that tables do not know.
std::string_view type_name(const TarEntry& entry, const TarHeaderFacts& facts) {
  char flag = facts.type_flag;
  if (flag == '\0') flag = entry.attributes.type == FileType::directory ? '5' : '0';
  for (const TypeName& type : kTypes) {
    if (type.flag == flag) return type.name;
  }
  return "";
}

/// Members of an object that begins empty, each after a comma if it is not the first.
class Members {
 public:
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) raw(name, oci::json_string(value));
  }
  void number(std::string_view name, std::uint64_t value) {
    if (value != 0) raw(name, cat(value));
  }
  void raw(std::string_view name, std::string_view json) {
    json_ += cat(json_.empty() ? "{\"" : ",\"", name, "\":", json);
  }
  std::string json_ = {};
};

std::string xattrs_json(const std::map<std::string, std::string>& xattrs) {
  Members members;
  for (const auto& [name, value] : xattrs) {
    members.json_ += cat(members.json_.empty() ? "{" : ",", oci::json_string(name), ":",
                         oci::json_string(to_base64(value)));
  }
  return cat(members.json_, "}");
}

/// `name` if it is not what `seen` last had for `id`.
std::string name_if_changed(std::vector<std::pair<std::uint32_t, std::string>>& seen,
                            std::uint32_t id, const std::string& name) {
  if (name.empty()) return {};
  const auto known =
      std::find_if(seen.begin(), seen.end(), [&](const auto& pair) { return pair.first == id; });
  if (known == seen.end()) {
    constexpr std::size_t kMostIds = 1024;  // beyond it names are repeated
    if (seen.size() < kMostIds) seen.emplace_back(id, name);
    return name;
  }
  if (known->second == name) return {};
  known->second = name;
  return name;
}

}  // namespace

void MemberPlaces::add(std::uint64_t size) {
  const std::scoped_lock lock(mutex_);
  starts_.push_back(starts_.back() + size);
}

std::uint64_t MemberPlaces::known() const {
  const std::scoped_lock lock(mutex_);
  return first_ + starts_.size() - 1;
}

BlobRange MemberPlaces::place_of(std::uint64_t member) const {
  const std::scoped_lock lock(mutex_);
  assert(member >= first_ && member - first_ + 1 < starts_.size());
  const auto at = static_cast<std::size_t>(member - first_);
  return {starts_[at], starts_[at + 1] - starts_[at]};
}

void MemberPlaces::forget(std::uint64_t member) {
  const std::scoped_lock lock(mutex_);
  while (first_ < member && starts_.size() > 1) {
    starts_.pop_front();
    ++first_;
  }
}

std::string cannot_describe(SeekableFormat format, const TarEntry& entry,
                            const TarHeaderFacts& facts) {
  const std::string path = quoted(entry.path);
  if (type_name(entry, facts).empty()) {
    return cat(path, " is of type ", quoted(std::string_view(&facts.type_flag, 1)));
  }
  if (facts.sparse) return cat(path, " is a sparse file");
  bool sound = is_utf8(entry.path) && is_utf8(facts.link);
  for (const auto& [name, value] : entry.attributes.xattrs) sound = sound && is_utf8(name);
  if (!sound) return cat(path, ": a name is not UTF-8");
  bool dated = has_rfc3339(entry.attributes.mtime);
  for (const auto& time : {facts.atime, facts.ctime})
    dated = dated && (!time || has_rfc3339(*time));
  if (!dated) return cat(path, " has a time that tables cannot hold");
  if (format == SeekableFormat::estargz) return {};
  if (facts.global) return cat(path, " follows a global PAX header");
  if (facts.size != entry.attributes.size) return cat(path, " has a size but no content");
  return {};
}

TableWriter::TableWriter(SeekableFormat format, const MemberPlaces& places, Sink& out)
    : format_(format), places_(places), out_(out) {
  out_.write(bytes_of("{\"version\":1,\"entries\":["));
}

void TableWriter::add(const WrittenEntry& written) {
  const bool estargz = format_ == SeekableFormat::estargz;
  const Attributes& attributes = written.entry.attributes;
  const TarHeaderFacts& facts = written.facts;
  const std::string_view type = type_name(written.entry, facts);
  Members head;
  head.text("type", type);
  head.raw("name", oci::json_string(written.entry.path));
  head.text("linkName", facts.link);
  head.number("mode", facts.mode);
  head.number("size", attributes.size);
  head.number("uid", attributes.uid);
  head.number("gid", attributes.gid);
  if (estargz) {
    head.text("userName", name_if_changed(users_, attributes.uid, facts.user));
    head.text("groupName", name_if_changed(groups_, attributes.gid, facts.group));
    const Timestamp rounded{attributes.mtime.seconds +
                            (attributes.mtime.nanoseconds >= 500'000'000 ? 1 : 0)};
    if (rounded.seconds != 0) head.text("modtime", to_rfc3339(rounded));
  } else {
    head.text("modtime", to_rfc3339(attributes.mtime));
    if (facts.atime) head.text("accesstime", to_rfc3339(*facts.atime));
    if (facts.ctime) head.text("changetime", to_rfc3339(*facts.ctime));
  }
  head.number("devMajor", facts.device_major);
  head.number("devMinor", facts.device_minor);
  if (!attributes.xattrs.empty()) head.raw("xattrs", xattrs_json(attributes.xattrs));
  Pending pending;
  if (written.digest) {
    pending.digest = written.digest->str();
  } else if (estargz && type == "reg") {
    pending.digest = sha256_of("").str();
  }
  head.text("digest", pending.digest);
  pending.head = std::move(head.json_);
  pending.chunks = written.chunks;
  if (pending.chunks.size() > 1) pending.name = oci::json_string(written.entry.path);
  pending_.push_back(std::move(pending));
}

std::uint64_t TableWriter::settle() {
  const std::uint64_t known = places_.known();
  while (!pending_.empty()) {
    const Pending& next = pending_.front();
    if (!next.chunks.empty()) {
      if (next.chunks.back().member >= known) return next.chunks.front().member;
      needed_ = next.chunks.back().member + 1;
    }
    write(next);
    pending_.pop_front();
  }
  return needed_;
}

/// The members that say where a chunk is.
std::string TableWriter::chunk_members(const Pending& entry, const WrittenChunk& chunk) const {
  const BlobRange place = places_.place_of(chunk.member);
  const bool several = entry.chunks.size() > 1;
  std::string json = cat(",\"offset\":", place.offset);
  if (format_ == SeekableFormat::zstd_chunked) {
    // The first chunk's entry stands for the whole file.
    const bool whole = &chunk == &entry.chunks.front();
    const BlobRange last = whole ? places_.place_of(entry.chunks.back().member) : place;
    json += cat(",\"endOffset\":", last.offset + last.size);
  }
  if (several || chunk.zeros) json += cat(",\"chunkSize\":", chunk.size);
  if (chunk.file_offset != 0) json += cat(",\"chunkOffset\":", chunk.file_offset);
  if (several || format_ == SeekableFormat::estargz) {
    json += cat(",\"chunkDigest\":\"", chunk.digest ? chunk.digest->str() : entry.digest, "\"");
  }
  if (chunk.zeros) json += R"(,"chunkType":"zeros")";
  return json;
}

void TableWriter::write(const Pending& entry) {
  std::string json = cat(first_ ? "" : ",", entry.head);
  first_ = false;
  for (const WrittenChunk& chunk : entry.chunks) {
    if (&chunk != &entry.chunks.front()) {
      json += cat("},{\"type\":\"chunk\",\"name\":", entry.name);
    }
    json += chunk_members(entry, chunk);
  }
  json += '}';
  out_.write(bytes_of(json));
}

void TableWriter::finish(const std::optional<Digest>& tar_split_digest) {
  settle();
  assert(pending_.empty());
  std::string end = "]";
  if (tar_split_digest) end += cat(",\"tarSplitDigest\":\"", tar_split_digest->str(), "\"");
  out_.write(bytes_of(cat(end, "}")));
}

}  // namespace lade::seekable
