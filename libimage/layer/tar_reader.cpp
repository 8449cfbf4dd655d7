#include <algorithm>
#include <cstring>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/byte_stream.h"
#include "libimage/layer/pax.h"
#include "libimage/layer/tar_header.h"
#include "libimage/layer/tar_sparse.h"

namespace lade {
namespace {

using tar::Block;
using tar::kBlockBytes;
using tar::PaxValues;
using tar::Segment;

constexpr std::uint64_t kLargestId = 0xFFFF'FFFE;  // 2^32 - 1 means "leave it" to chown

[[noreturn]] void throw_invalid(std::string message) {
  throw Error(Errc::invalid_content, std::move(message));
}

[[noreturn]] void throw_limit(std::string_view what, std::uint64_t limit) {
  throw Error(Errc::limit_exceeded, cat("tar stream: more than ", limit, " ", what));
}

/// What the headers in front of an entry's own said.
struct Prelude {
  std::optional<PaxValues> pax = {};
  std::optional<std::string> long_name = {};
  std::optional<std::string> long_link = {};
  [[nodiscard]] bool empty() const { return !pax && !long_name && !long_link; }
};

/// PAX over GNU over the header's own field. Where PAX and GNU both speak they must agree: readers
/// disagree on who wins, and layers must not have two readings.
std::string chosen_text(const std::optional<std::string>& pax,
                        const std::optional<std::string>& gnu, std::string own) {
  if (pax && gnu && *pax != *gnu) {
    throw_invalid(
        cat("tar header: PAX and GNU headers disagree: ", quoted(*pax), " and ", quoted(*gnu)));
  }
  if (pax) return *pax;
  if (gnu) return *gnu;
  return own;
}

std::uint32_t id_of(std::uint64_t value, std::string_view what) {
  if (value > kLargestId) throw_invalid(cat("tar header: ", what, " ", value, " is out of range"));
  return static_cast<std::uint32_t>(value);
}

void check_path(const std::string& path, const ApplyLimits& limits, std::string_view what) {
  if (path.empty()) throw_invalid(cat("tar header: empty ", what));
  if (path.size() > limits.max_path_bytes) {
    throw Error(Errc::limit_exceeded, cat("tar header: ", what, " of ", path.size(),
                                          " bytes is longer than ", limits.max_path_bytes));
  }
  std::size_t depth = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '/' && (i == 0 || path[i - 1] == '/')) ++depth;
  }
  if (depth > limits.max_depth) {
    throw Error(Errc::limit_exceeded, cat("tar header: ", what, " of ", depth,
                                          " components is deeper than ", limits.max_depth));
  }
}

/// An entry's type flag: what it makes, and whether content follows.
struct TypeFlag {
  FileType type = FileType::regular;
  LayerEntry::Kind kind = LayerEntry::Kind::file;
};

TypeFlag type_of(char flag, const std::string& path) {
  switch (flag) {
    case '\0':  // v7: a directory is an entry whose name ends in a slash
      return {path.ends_with('/') ? FileType::directory : FileType::regular};
    case '0':
    case '7':  // "contiguous": nobody has had such files since 1990
    case 'S':
      if (path.ends_with('/')) throw_invalid(cat(quoted(path), ": a file whose name ends in '/'"));
      return {FileType::regular};
    case '1':
      return {FileType::regular, LayerEntry::Kind::hardlink};
    case '2':
      return {FileType::symlink};
    case '3':
      return {FileType::character};
    case '4':
      return {FileType::block};
    case '5':
      return {FileType::directory};
    case '6':
      return {FileType::fifo};
    default:
      throw Error(Errc::unsupported, cat(quoted(path), ": tar entries of type ",
                                         quoted(std::string_view(&flag, 1)), " are not supported"));
  }
}

}  // namespace

struct TarReader::State {
  State(Source& source, const ApplyLimits& bounds) : stream(source), limits(bounds) {}

  ByteStream stream;
  ApplyLimits limits;
  PaxValues global;
  bool first = true;          // no header was read yet
  std::uint64_t entries = 0;  // entries and global headers: the others come once for an entry
  std::uint64_t bytes = 0;    // logical sizes so far
  bool over = false;

  Block header = {};  // of the current entry, as are:
  PaxValues pax = {};
  bool any_global = false;  // and not of the current entry alone
  std::string link;
  std::string path;               // of the current entry, for messages
  std::uint64_t stored_left = 0;  // bytes of its content still in the stream
  std::uint64_t padding = 0;      // after them
  bool sparse = false;
  std::vector<Segment> map;
  std::size_t segment = 0;     // the one that position lies in or before
  std::uint64_t position = 0;  // in the logical content of a sparse file
  std::uint64_t logical_size = 0;

  std::optional<TarEntry> next();
  bool next_header(Block& block);
  void leave_entry();
  void read_extension(char flag, const Block& block, Prelude& prelude);
  std::string read_body(std::uint64_t size);
  void read_block(Block& block);
  TarEntry entry_of(const Block& block, Prelude prelude);
  void read_attributes(TarEntry& entry) const;
  [[nodiscard]] std::uint64_t stated_size() const;
  void start_content(TarEntry& entry);
  void start_sparse();
  [[nodiscard]] TarHeaderFacts facts() const;
  std::size_t read_stored(std::span<std::byte> out);
  std::size_t read_sparse(std::span<std::byte> out);
  std::uint64_t hole();
};

void TarReader::State::leave_entry() {
  if (stream.skip(stored_left) != stored_left) {
    throw_invalid(cat("tar stream ends inside the content of ", quoted(path)));
  }
  stored_left = 0;
  // umoci 0.4.7 ends layers without filling the last block: the stream may end here.
  stream.skip(std::exchange(padding, 0));
}

/// The next header that is not zero; false at the end of the archive.
bool TarReader::State::next_header(Block& block) {
  const auto raw = std::as_writable_bytes(std::span(block));
  for (int zero_blocks = 0;;) {
    const std::size_t got = stream.read_all_of(raw);
    if (got == 0) return false;
    if (got != kBlockBytes) throw_invalid("tar stream ends inside a header");
    if (!tar::is_zero(block)) {
      if (zero_blocks != 0) throw_invalid("tar stream: a lone block of zeros between entries");
      break;
    }
    if (++zero_blocks == 2) return false;
  }
  if (!tar::checksum_matches(block)) {
    throw_invalid(first ? std::string("not a tar stream: the first header's checksum fails")
                        : cat("tar header after ", quoted(path), ": the checksum fails"));
  }
  first = false;
  return true;
}

void TarReader::State::read_block(Block& block) {
  if (stream.read_all_of(std::as_writable_bytes(std::span(block))) != kBlockBytes) {
    throw_invalid("tar stream ends inside a header");
  }
}

std::string TarReader::State::read_body(std::uint64_t size) {
  if (size > limits.max_pax_bytes) {
    throw Error(Errc::limit_exceeded, cat("tar stream: extended header of ", size,
                                          " bytes is longer than ", limits.max_pax_bytes));
  }
  std::string body(static_cast<std::size_t>(size), '\0');
  const std::uint64_t rest = tar::padded(size) - size;
  if (stream.read_all_of(std::as_writable_bytes(std::span(body))) != size ||
      stream.skip(rest) != rest) {
    throw_invalid("tar stream ends inside an extended header");
  }
  return body;
}

void TarReader::State::read_extension(char flag, const Block& block, Prelude& prelude) {
  // The size field of the extension itself counts, never a PAX size meant for the entry behind it.
  std::string body = read_body(tar::number_in(block, tar::kSize, "size"));
  const auto set_once = [&](auto& target, auto value) {
    if (target) throw_invalid(cat("tar stream: two '", flag, "' headers for one entry"));
    target = std::move(value);
  };
  if (flag == 'g') {
    read_pax(body, tar::PaxScope::global, limits, global);
    any_global = true;
  } else if (flag == 'x') {
    PaxValues values;
    read_pax(body, tar::PaxScope::entry, limits, values);
    set_once(prelude.pax, std::move(values));
  } else {
    body.erase(body.find_last_not_of('\0') + 1);
    if (body.find('\0') != std::string::npos) throw_invalid("tar header: NUL byte in a long name");
    set_once(flag == 'L' ? prelude.long_name : prelude.long_link, std::move(body));
  }
}

std::optional<TarEntry> TarReader::State::next() {
  if (over) return std::nullopt;
  leave_entry();
  Prelude prelude;
  Block block;
  while (next_header(block)) {
    const char flag = block[tar::kTypeOffset];
    const bool counts = flag != 'x' && flag != 'L' && flag != 'K';
    if (counts && ++entries > limits.max_entries) throw_limit("entries", limits.max_entries);
    if (flag != 'x' && flag != 'g' && flag != 'L' && flag != 'K') {
      return entry_of(block, std::move(prelude));
    }
    read_extension(flag, block, prelude);
  }
  if (!prelude.empty()) throw_invalid("tar stream ends after an extended header");
  over = true;
  return std::nullopt;
}

TarEntry TarReader::State::entry_of(const Block& block, Prelude prelude) {
  header = block;
  pax = prelude.pax ? std::move(*prelude.pax) : PaxValues{};
  TarEntry entry;
  entry.path = chosen_text(pax.path, prelude.long_name, tar::path_of(header));
  if (pax.sparse_name) entry.path = *pax.sparse_name;
  check_path(entry.path, limits, "path");
  path = entry.path;
  const TypeFlag type = type_of(header[tar::kTypeOffset], entry.path);
  entry.kind = type.kind;
  entry.attributes.type = type.type;
  if (pax.sparse_name && (type.type != FileType::regular || type.kind != LayerEntry::Kind::file)) {
    throw_invalid(cat(quoted(path), ": a sparse file that is not a file"));
  }
  read_attributes(entry);

  link = chosen_text(pax.link_path, prelude.long_link,
                     std::string(tar::text_in(header, tar::kLinkName)));
  if (type.kind == LayerEntry::Kind::hardlink) {
    check_path(link, limits, "link target");
    entry.link_to = link;
  } else if (type.type == FileType::symlink) {
    if (link.empty()) throw_invalid(cat(quoted(path), ": a symbolic link without target"));
    entry.attributes.link_target = link;
  }
  start_content(entry);
  return entry;
}

void TarReader::State::read_attributes(TarEntry& entry) const {
  const auto pick = [](const auto& own, const auto& fallback) { return own ? own : fallback; };
  Attributes& to = entry.attributes;
  to.mode = static_cast<std::uint32_t>(tar::number_in(header, tar::kMode, "mode") & 07777U);
  const auto uid = pick(pax.uid, global.uid);
  const auto gid = pick(pax.gid, global.gid);
  to.uid = id_of(uid ? *uid : tar::number_in(header, tar::kUid, "uid"), "uid");
  to.gid = id_of(gid ? *gid : tar::number_in(header, tar::kGid, "gid"), "gid");
  const auto mtime = pick(pax.mtime, global.mtime);
  to.mtime = mtime ? *mtime : Timestamp{tar::signed_number_in(header, tar::kMtime, "mtime")};
  to.xattrs = pax.xattrs;
  to.xattrs.insert(global.xattrs.begin(), global.xattrs.end());
  if (to.type != FileType::character && to.type != FileType::block) return;
  if (tar::format_of(header) == tar::Format::v7 && !pax.device_major) {
    throw_invalid(cat(quoted(path), ": a device without numbers"));
  }
  const auto number = [&](const std::optional<std::uint64_t>& said, tar::Field field) {
    const std::uint64_t value = said ? *said : tar::number_in(header, field, "device number");
    if (value > 0xFFFF'FFFF) throw_invalid(cat(quoted(path), ": device number out of range"));
    return static_cast<std::uint32_t>(value);
  };
  to.device_major = number(pax.device_major, tar::kDeviceMajor);
  to.device_minor = number(pax.device_minor, tar::kDeviceMinor);
}

std::uint64_t TarReader::State::stated_size() const {
  return pax.size ? *pax.size : tar::number_in(header, tar::kSize, "size");
}

TarHeaderFacts TarReader::State::facts() const {
  TarHeaderFacts facts;
  facts.type_flag = header[tar::kTypeOffset];
  facts.mode = tar::number_in(header, tar::kMode, "mode");
  facts.size = stated_size();
  facts.link = link;
  facts.atime = pax.atime;
  facts.ctime = pax.ctime;
  facts.sparse = sparse;
  facts.global = any_global;
  const tar::Format format = tar::format_of(header);
  if (format == tar::Format::v7) return facts;
  facts.user = pax.user ? *pax.user : std::string(tar::text_in(header, tar::kUser));
  facts.group = pax.group ? *pax.group : std::string(tar::text_in(header, tar::kGroup));
  facts.device_major = tar::number_in(header, tar::kDeviceMajor, "device number");
  facts.device_minor = tar::number_in(header, tar::kDeviceMinor, "device number");
  const auto time_in = [&](std::optional<Timestamp>& time, tar::Field gnu, tar::Field star) {
    const tar::Field field = format == tar::Format::gnu ? gnu : star;
    if (time || format == tar::Format::ustar || header[field.offset] == '\0') return;
    time = Timestamp{tar::signed_number_in(header, field, "time")};
  };
  time_in(facts.atime, tar::kGnuAtime, tar::kStarAtime);
  time_in(facts.ctime, tar::kGnuCtime, tar::kStarCtime);
  return facts;
}

void TarReader::State::start_content(TarEntry& entry) {
  sparse = false;
  map.clear();
  segment = 0;
  position = 0;
  const std::uint64_t size = stated_size();
  if (entry.kind == LayerEntry::Kind::hardlink || entry.attributes.type == FileType::symlink) {
    return;  // old tars put the target's size here; no content follows
  }
  if (entry.attributes.type != FileType::regular) {
    if (size != 0) throw_invalid(cat(quoted(path), ": content for something that is not a file"));
    return;
  }
  stored_left = size;
  padding = tar::padded(size) - size;
  const bool old_gnu = header[tar::kTypeOffset] == 'S';
  sparse = old_gnu || pax.sparse_major || pax.sparse_map || pax.sparse_size;
  if (sparse) {
    with_context([&] { return quoted(path); }, [&] { start_sparse(); });
  } else {
    logical_size = size;
  }
  entry.attributes.size = logical_size;
  if (logical_size > limits.max_bytes || bytes + logical_size > limits.max_bytes) {
    throw_limit("bytes of file content", limits.max_bytes);
  }
  bytes += logical_size;
}

void TarReader::State::start_sparse() {
  if (header[tar::kTypeOffset] == 'S') {
    if (tar::format_of(header) != tar::Format::gnu) {
      throw Error(Errc::unsupported, "sparse file of a dialect other than GNU's");
    }
    map = tar::old_gnu_map(header, [this](Block& block) { read_block(block); });
    logical_size = tar::number_in(header, tar::kGnuRealSize, "real size");
  } else {
    if (!pax.sparse_size) throw_invalid("sparse file without its real size");
    logical_size = *pax.sparse_size;
    const std::uint64_t major = pax.sparse_major.value_or(0);
    if (major > 1 || (major == 1 && pax.sparse_minor.value_or(0) != 0)) {
      throw Error(Errc::unsupported, cat("sparse file of format ", major, ".",
                                         pax.sparse_minor.value_or(0), " is not supported"));
    }
    if (major == 1) {
      std::uint64_t blocks = 0;
      map = tar::leading_map(
          [this](Block& block) {
            if (stored_left < kBlockBytes) throw_invalid("sparse map: longer than the content");
            stored_left -= kBlockBytes;
            read_block(block);
          },
          blocks);
    } else if (pax.sparse_map) {
      map = *pax.sparse_map;
    } else {
      throw_invalid("sparse file without its map");
    }
  }
  tar::check_map(map, logical_size, stored_left);
}

std::size_t TarReader::State::read_stored(std::span<std::byte> out) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), stored_left));
  if (want == 0) return 0;
  const std::size_t got = stream.read(out.first(want));
  if (got == 0) throw_invalid(cat("tar stream ends inside the content of ", quoted(path)));
  stored_left -= got;
  return got;
}

/// Bytes of the hole at `position`; 0 in a segment and at the end.
std::uint64_t TarReader::State::hole() {
  while (segment < map.size() && map[segment].offset + map[segment].size <= position) ++segment;
  const std::uint64_t next = segment < map.size() ? map[segment].offset : logical_size;
  return next > position ? next - position : 0;
}

std::size_t TarReader::State::read_sparse(std::span<std::byte> out) {
  if (const std::uint64_t zeros = hole(); zeros != 0) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), zeros));
    std::memset(out.data(), 0, count);
    position += count;
    return count;
  }
  if (segment == map.size()) return 0;
  const std::uint64_t left = map[segment].offset + map[segment].size - position;
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left));
  const std::size_t got = read_stored(out.first(want));
  position += got;
  return got;
}

bool is_tar_start(ByteView head) noexcept {
  tar::Block block{};
  if (head.size() < block.size()) return false;
  std::memcpy(block.data(), head.data(), block.size());
  return !tar::is_zero(block) && tar::checksum_matches(block);
}

TarReader::TarReader(Source& source, const ApplyLimits& limits)
    : state_(std::make_unique<State>(source, limits)) {}
TarReader::~TarReader() = default;

std::optional<TarEntry> TarReader::next() { return state_->next(); }

std::size_t TarReader::read(std::span<std::byte> out) {
  return state_->sparse ? state_->read_sparse(out) : state_->read_stored(out);
}

std::uint64_t TarReader::skip_hole() {
  if (!state_->sparse) return 0;
  const std::uint64_t zeros = state_->hole();
  state_->position += zeros;
  return zeros;
}

TarHeaderFacts TarReader::facts() const { return state_->facts(); }
std::uint64_t TarReader::position() const { return state_->stream.position(); }

void TarReader::drain_rest() { state_->stream.drain_rest(); }

}  // namespace lade
