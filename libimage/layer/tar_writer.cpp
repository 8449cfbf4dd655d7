#include "libimage/layer/tar_writer.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/layer/pax.h"
#include "libimage/layer/tar_header.h"

namespace lade::tar {
namespace {

constexpr std::string_view kPaxHeaderName = "././@PaxHeader";  // no file has it; Python's choice
constexpr std::array<char, 2 * kBlockBytes> kZeros{};

bool is_ascii(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// What is written for one entry, before it is known which values fit.
struct Record {
  std::string path = {};
  std::string link = {};
  char flag = '0';
  std::uint64_t size = 0;
  Attributes attributes = {};
};

char flag_of(const LayerEntry& entry) noexcept {
  if (entry.kind == LayerEntry::Kind::hardlink) return '1';
  switch (entry.attributes.type) {
    case FileType::regular:
      return '0';
    case FileType::symlink:
      return '2';
    case FileType::character:
      return '3';
    case FileType::block:
      return '4';
    case FileType::directory:
      return '5';
    case FileType::fifo:
      return '6';
  }
  return '0';
}

void check_names(const std::string& path) {
  for (const std::string_view name : split(path, '/')) {
    if (name.starts_with(".wh.")) {
      throw Error(Errc::unsupported, cat("write layer: ", quoted(path),
                                         ": names that begin with \".wh.\" mean removals in a "
                                         "layer, so a file of that name cannot be stored"));
    }
  }
  if (path.find('\0') != std::string::npos) {
    throw Error(Errc::invalid_argument, cat("write layer: ", quoted(path), ": NUL byte in a path"));
  }
}

Record whiteout_record(const LayerEntry& entry) {
  if (entry.kind == LayerEntry::Kind::opaque) {
    return {.path = entry.path.empty() ? ".wh..wh..opq" : cat(entry.path, "/.wh..wh..opq")};
  }
  const std::size_t slash = entry.path.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  return {.path = cat(entry.path.substr(0, name), ".wh.", entry.path.substr(name))};
}

Record record_of(const LayerEntry& entry, const LayerOptions& options) {
  check_names(entry.path);
  if (entry.kind == LayerEntry::Kind::whiteout || entry.kind == LayerEntry::Kind::opaque) {
    return whiteout_record(entry);
  }
  Record record{.path = entry.path, .flag = flag_of(entry), .attributes = entry.attributes};
  record.attributes.mtime = recorded_mtime(record.attributes.mtime, options);
  if (record.flag == '5') record.path = entry.path.empty() ? "./" : cat(entry.path, "/");
  if (record.flag == '0') record.size = entry.attributes.size;
  if (record.flag == '1') {
    record.link = entry.link_to;
    record.attributes.xattrs.clear();  // they came with the first name
  }
  if (record.flag == '2') record.link = entry.attributes.link_target;
  return record;
}

struct UstarPath {
  std::string_view prefix;
  std::string_view name;
};

/// The path cut at its last slash that leaves both parts short enough.
std::optional<UstarPath> ustar_path(std::string_view path) noexcept {
  if (!is_ascii(path)) return std::nullopt;
  if (path.size() <= kName.size) return UstarPath{{}, path};
  const std::size_t end = path.ends_with('/') ? path.size() - 1 : path.size();
  const std::size_t slash = path.substr(0, end).rfind('/', kPrefix.size);
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const std::string_view name = path.substr(slash + 1);
  if (name.size() > kName.size) return std::nullopt;
  return UstarPath{path.substr(0, slash), name};
}

/// For readers that know no PAX, and for people with a hex dump.
std::string ascii_stand_in(std::string_view text) {
  std::string out(text.substr(0, kName.size));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '_');
  return out;
}

void put_number(Block& block, Field field, std::uint64_t value, std::string_view key,
                std::string& pax) {
  if (put_octal(block, field, value)) return;
  put_octal(block, field, 0);
  append_pax(pax, key, cat(value));
}

/// The records that tell names, sorted after "hdrcharset", which says how to read them.
void put_names(const Record& record, Block& block, std::string& charset, std::string& link_path,
               std::string& path) {
  if (const std::optional<UstarPath> fits = ustar_path(record.path)) {
    put_text(block, kName, fits->name);
    put_text(block, kPrefix, fits->prefix);
  } else {
    put_text(block, kName, ascii_stand_in(record.path));
    append_pax(path, "path", record.path);
  }
  if (record.link.size() <= kLinkName.size && is_ascii(record.link)) {
    put_text(block, kLinkName, record.link);
  } else {
    put_text(block, kLinkName, ascii_stand_in(record.link));
    append_pax(link_path, "linkpath", record.link);
  }
  if (!is_utf8(record.path) || !is_utf8(record.link)) append_pax(charset, "hdrcharset", "BINARY");
}

void put_time(const Timestamp& mtime, Block& block, std::string& pax) {
  const bool fits =
      mtime.seconds >= 0 && static_cast<std::uint64_t>(mtime.seconds) <= largest_octal(kMtime);
  put_octal(block, kMtime, fits ? static_cast<std::uint64_t>(mtime.seconds) : 0);
  if (!fits || mtime.nanoseconds != 0) append_pax(pax, "mtime", pax_time(mtime));
}

void put_device(const Record& record, Block& block) {
  const Attributes& attributes = record.attributes;
  if (!put_octal(block, kDeviceMajor, attributes.device_major) ||
      !put_octal(block, kDeviceMinor, attributes.device_minor)) {
    throw Error(Errc::unsupported,
                cat("write layer: ", quoted(record.path), ": device number too large for tar"));
  }
}

std::string xattr_records(const Record& record) {
  std::string pax;
  for (const auto& [name, value] : record.attributes.xattrs) {
    if (name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
      throw Error(Errc::unsupported,
                  cat("write layer: ", quoted(record.path), ": extended attribute ", quoted(name),
                      " has a name that tar cannot hold"));
    }
    append_pax(pax, cat(kXattrPrefix, name), value);
  }
  return pax;
}

Block ustar_block(char flag) {
  Block block{};
  block[kTypeOffset] = flag;
  put_text(block, kMagic,
           std::string_view("ustar\0"
                            "00",
                            8));
  return block;
}

void write_block(Sink& out, Block& block) {
  put_checksum(block);
  out.write(std::as_bytes(std::span(block)));
}

void write_pax(Sink& out, std::string_view body) {
  Block block = ustar_block('x');
  put_text(block, kName, kPaxHeaderName);
  put_octal(block, kMode, 0644);
  for (const Field field : {kUid, kGid, kMtime, kDeviceMajor, kDeviceMinor}) {
    put_octal(block, field, 0);
  }
  if (!put_octal(block, kSize, body.size())) {
    throw Error(Errc::unsupported, "write layer: extended attributes too large for tar");
  }
  write_block(out, block);
  out.write(bytes_of(body));
  const std::uint64_t rest = padded(body.size()) - body.size();
  out.write(std::as_bytes(std::span(kZeros).first(static_cast<std::size_t>(rest))));
}

}  // namespace

void TarWriter::header(const LayerEntry& entry) {
  const Record record = record_of(entry, options_);
  Block block = ustar_block(record.flag);
  // Records are in the order of their keys; most entries need none.
  std::string charset, link_path, path, gid, uid, size, mtime;
  put_octal(block, kMode, record.attributes.mode & 07777U);
  put_names(record, block, charset, link_path, path);
  put_number(block, kUid, record.attributes.uid, "uid", uid);
  put_number(block, kGid, record.attributes.gid, "gid", gid);
  put_number(block, kSize, record.size, "size", size);
  put_time(record.attributes.mtime, block, mtime);
  put_device(record, block);
  const std::string pax =
      cat(charset, xattr_records(record), gid, link_path, mtime, path, size, uid);
  if (!pax.empty()) write_pax(out_, pax);
  write_block(out_, block);
}

void TarWriter::end_content(std::uint64_t size) {
  const auto rest = static_cast<std::size_t>(padded(size) - size);
  if (rest != 0) out_.write(std::as_bytes(std::span(kZeros).first(rest)));
}

void TarWriter::finish() { out_.write(std::as_bytes(std::span(kZeros))); }

}  // namespace lade::tar
