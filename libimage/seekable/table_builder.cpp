#include "libimage/seekable/table_builder.h"

#include <algorithm>
#include <array>
#include <optional>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/seekable/annotations.h"

namespace lade::seekable {
namespace {

constexpr std::uint64_t kLargestId = 0xFFFF'FFFE;  // 2^32 - 1 means "leave it" to chown
constexpr std::uint64_t kLargestNumber = std::uint64_t{1} << 62U;

struct Type {
  std::string_view name;
  FileType type = FileType::regular;
  LayerEntry::Kind kind = LayerEntry::Kind::file;
};
constexpr std::array<Type, 7> kTypes = {{
    {"reg", FileType::regular, LayerEntry::Kind::file},
    {"dir", FileType::directory, LayerEntry::Kind::file},
    {"symlink", FileType::symlink, LayerEntry::Kind::file},
    {"hardlink", FileType::regular, LayerEntry::Kind::hardlink},
    {"char", FileType::character, LayerEntry::Kind::file},
    {"block", FileType::block, LayerEntry::Kind::file},
    {"fifo", FileType::fifo, LayerEntry::Kind::file},
}};

[[noreturn]] void throw_invalid(const std::string& path, std::string_view reason) {
  throw Error(Errc::invalid_content, cat(quoted(path.substr(0, 200)), ": ", reason));
}

const Type& type_of(const RawEntry& raw) {
  for (const Type& type : kTypes) {
    if (type.name == raw.type) return type;
  }
  throw Error(Errc::unsupported, cat(quoted(raw.name.substr(0, 200)), ": the type ",
                                     quoted(raw.type.substr(0, 40)), " is unknown"));
}

std::uint32_t id_of(const RawEntry& raw, std::uint64_t value, std::string_view what) {
  if (value > kLargestId) throw_invalid(raw.name, cat(what, " ", value, " is out of range"));
  return static_cast<std::uint32_t>(value);
}

std::optional<Digest> digest_of(const RawEntry& raw, const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::optional<Digest> digest = Digest::try_parse(text);
  if (!digest || !digest->verifiable()) {
    throw_invalid(raw.name, cat("the digest ", quoted(text.substr(0, 200)), " is none"));
  }
  return digest;
}

Attributes attributes_of(const RawEntry& raw, const Type& type) {
  Attributes to;
  to.type = type.type;
  to.mode = static_cast<std::uint32_t>(raw.mode & 07777U);
  to.uid = id_of(raw, raw.uid, "uid");
  to.gid = id_of(raw, raw.gid, "gid");
  if (!raw.modtime.empty()) {
    const std::optional<Timestamp> time = parse_rfc3339(raw.modtime);
    if (!time)
      throw_invalid(raw.name, cat("the time ", quoted(raw.modtime.substr(0, 60)), " is none"));
    to.mtime = *time;
  }
  for (const auto& [name, value] : raw.xattrs) {
    std::optional<std::string> bytes = from_base64(value);
    if (!bytes) throw_invalid(raw.name, cat("the value of ", quoted(name), " is not base64"));
    to.xattrs.emplace(name, std::move(*bytes));
  }
  if (to.type == FileType::character || to.type == FileType::block) {
    to.device_major = id_of(raw, raw.device_major, "device number");
    to.device_minor = id_of(raw, raw.device_minor, "device number");
  }
  return to;
}

/// A chunk as the entry says it; a size of 0 reaches to the next chunk or the end of the file.
TableChunk chunk_of(const RawEntry& raw) {
  TableChunk chunk{.file_offset = raw.chunk_offset,
                   .size = raw.chunk_size,
                   .stored = {raw.offset, 0},
                   .inner_offset = raw.inner_offset,
                   .digest = digest_of(raw, raw.chunk_digest)};
  if (raw.chunk_type == "zeros") {
    chunk.zeros = true;
  } else if (!raw.chunk_type.empty()) {
    throw Error(Errc::unsupported, cat(quoted(raw.name.substr(0, 200)), ": chunks of type ",
                                       quoted(raw.chunk_type.substr(0, 40)), " are unknown"));
  }
  return chunk;
}

void check_numbers(const RawEntry& raw) {
  for (const std::uint64_t number :
       {raw.size, raw.offset, raw.end_offset, raw.inner_offset, raw.chunk_size, raw.chunk_offset}) {
    if (number > kLargestNumber) throw_invalid(raw.name, "a number is out of range");
  }
}

}  // namespace

void TableBuilder::add(RawEntry raw) {
  if (++count_ > limits_.max_entries) {
    throw Error(Errc::limit_exceeded, cat("more than ", limits_.max_entries, " entries"));
  }
  check_numbers(raw);
  if (raw.type == "chunk") {
    add_chunk(raw);
  } else {
    end_file();
    add_file(std::move(raw));
  }
}

void TableBuilder::add_chunk(const RawEntry& raw) {
  if (!open_) throw_invalid(raw.name, "a chunk of no file");
  TableEntry& file = entries_.back();
  if (!raw.name.empty() && raw.name != file.path) {
    throw_invalid(raw.name, cat("a chunk behind the file ", quoted(file.path.substr(0, 200))));
  }
  file.chunks.push_back(chunk_of(raw));
}

void TableBuilder::add_file(RawEntry raw) {
  check_path(raw.name, "name");
  const Type& type = type_of(raw);
  TableEntry entry{.path = raw.name, .kind = type.kind, .attributes = attributes_of(raw, type)};
  if (type.kind == LayerEntry::Kind::hardlink) {
    check_path(raw.link_name, "link target");
    entry.link_to = raw.link_name;
  } else if (type.type == FileType::symlink) {
    if (raw.link_name.empty()) throw_invalid(raw.name, "a symbolic link without target");
    check_path(raw.link_name, "link target");
    entry.attributes.link_target = raw.link_name;
  } else if (type.type == FileType::regular) {
    entry.attributes.size = raw.size;
    entry.digest = digest_of(raw, raw.digest);
    if (raw.size != 0) {
      entry.chunks.push_back(chunk_of(raw));
      if (raw.end_offset != 0) ends_.emplace(entries_.size(), raw.end_offset);
    }
    open_ = raw.size != 0;
  }
  entries_.push_back(std::move(entry));
}

/// The last file has all its chunks: they must hold exactly its bytes.
void TableBuilder::end_file() {
  if (!open_) return;
  open_ = false;
  TableEntry& file = entries_.back();
  const std::uint64_t size = file.attributes.size;
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < file.chunks.size(); ++i) {
    TableChunk& chunk = file.chunks[i];
    const bool last = i + 1 == file.chunks.size();
    const std::uint64_t next = last ? size : file.chunks[i + 1].file_offset;
    if (chunk.file_offset != at || next <= at) {
      throw_invalid(file.path, "its chunks do not follow one another");
    }
    if (chunk.size == 0) chunk.size = next - at;
    if (chunk.size != next - at) throw_invalid(file.path, "its chunks do not hold its bytes");
    at = next;
  }
  if (file.chunks.size() == 1 && !file.chunks[0].digest) file.chunks[0].digest = file.digest;
}

void TableBuilder::check_path(const std::string& path, std::string_view what) const {
  if (path.find('\0') != std::string::npos) throw_invalid(path, cat("NUL byte in a ", what));
  if (path.size() > limits_.max_path_bytes) {
    throw Error(Errc::limit_exceeded, cat("a ", what, " of ", path.size(), " bytes is longer than ",
                                          limits_.max_path_bytes));
  }
  std::size_t depth = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '/' && (i == 0 || path[i - 1] == '/')) ++depth;
  }
  if (depth > limits_.max_depth) {
    throw Error(Errc::limit_exceeded,
                cat("a ", what, " of ", depth, " components is deeper than ", limits_.max_depth));
  }
}

/// Gives each chunk its stored bytes: from its offset to the next one that any chunk has.
void TableBuilder::place_chunks(std::uint64_t data_end) {
  struct Place {
    TableChunk* chunk;
    std::size_t entry;
    bool last;  // of its file
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    std::vector<TableChunk>& chunks = entries_[i].chunks;
    for (TableChunk& chunk : chunks) {
      if (chunk.zeros && chunk.stored.offset == 0) continue;  // not stored at all
      places.push_back({&chunk, i, &chunk == &chunks.back()});
    }
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return std::tie(a.chunk->stored.offset, a.chunk->inner_offset) <
           std::tie(b.chunk->stored.offset, b.chunk->inner_offset);
  });
  std::uint64_t end = data_end;  // of the stored bytes at the offset that is looked at
  for (std::size_t i = places.size(); i-- > 0;) {
    TableChunk& chunk = *places[i].chunk;
    const std::string& path = entries_[places[i].entry].path;
    if (i + 1 < places.size()) {
      const TableChunk& next = *places[i + 1].chunk;
      if (next.stored.offset != chunk.stored.offset) {
        end = next.stored.offset;
      } else if (next.inner_offset < chunk.inner_offset + chunk.size) {
        throw_invalid(path, "a chunk overlaps another");
      }
    }
    if (chunk.stored.offset >= end || (chunk.stored.offset == 0 && chunk.inner_offset == 0)) {
      throw_invalid(path, cat("a chunk at ", chunk.stored.offset, " is outside the data"));
    }
    std::uint64_t stored_end = end;
    const auto said = ends_.find(places[i].entry);
    if (places[i].last && said != ends_.end()) {
      if (said->second <= chunk.stored.offset || said->second > end) {
        throw_invalid(path, cat("its end at ", said->second, " is outside the data"));
      }
      stored_end = said->second;
    }
    chunk.stored.size = stored_end - chunk.stored.offset;
  }
}

std::vector<TableEntry> TableBuilder::finish(std::uint64_t data_end) {
  end_file();
  place_chunks(data_end);
  if (format_ == TableFormat::estargz || format_ == TableFormat::stargz) {
    std::erase_if(entries_, [](const TableEntry& entry) {
      const std::string clean = clean_path(entry.path);
      return clean == kPrefetchLandmark || clean == kNoPrefetchLandmark;
    });
  }
  return std::move(entries_);
}

}  // namespace lade::seekable
