#include "libimage/files/file_pool.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::files {
namespace {

constexpr std::size_t kMaxPool = std::numeric_limits<std::uint32_t>::max() - 1;

void check_room(std::size_t used, std::size_t more) {
  if (more > kMaxPool - used) {
    throw Error(Errc::limit_exceeded, "the names of the files take more than 4 GiB");
  }
}

void append_field(std::string& out, std::string_view field) {
  const auto length = static_cast<std::uint32_t>(field.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  out += field;
}

std::string_view field_at(std::string_view fields, std::size_t at) {
  std::uint32_t length = 0;
  std::memcpy(&length, fields.data() + at, sizeof length);
  return fields.substr(at + sizeof length, length);
}

std::size_t mixed(PathId parent, std::string_view name) {
  return (std::hash<std::string_view>()(name) ^ parent) * 0x9E3779B97F4A7C15U >> 16U;
}

}  // namespace

PathTable::PathTable() : slots_(1024, kNoPath) { nodes_.emplace_back(); }

std::size_t PathTable::slot_of(PathId parent, std::string_view name) const noexcept {
  std::size_t at = mixed(parent, name) & (slots_.size() - 1);
  while (slots_[at] != kNoPath) {
    const Node& node = nodes_[slots_[at]];
    if (node.parent == parent && this->name(slots_[at]) == name) break;
    at = (at + 1) & (slots_.size() - 1);
  }
  return at;
}

void PathTable::grow() {
  slots_.assign(slots_.size() * 2, kNoPath);
  for (PathId id = 1; id < nodes_.size(); ++id) {
    slots_[slot_of(nodes_[id].parent, name(id))] = id;
  }
}

PathId PathTable::child(PathId parent, std::string_view name) {
  std::size_t slot = slot_of(parent, name);
  if (slots_[slot] != kNoPath) return slots_[slot];
  if (name.size() > std::numeric_limits<std::uint16_t>::max() || nodes_.size() >= kMaxPool / 2) {
    throw Error(Errc::limit_exceeded, "a name of more than 65535 bytes, or too many of them");
  }
  check_room(names_.size(), name.size());
  if ((nodes_.size() + 1) * 4 > slots_.size() * 3) {
    grow();
    slot = slot_of(parent, name);
  }
  const auto id = static_cast<PathId>(nodes_.size());
  nodes_.push_back({.parent = parent,
                    .next = nodes_[parent].first_child,
                    .at = static_cast<std::uint32_t>(names_.size()),
                    .length = static_cast<std::uint16_t>(name.size())});
  nodes_[parent].first_child = id;
  names_ += name;
  slots_[slot] = id;
  return id;
}

PathId PathTable::find_child(PathId parent, std::string_view name) const noexcept {
  return slots_[slot_of(parent, name)];
}

PathId PathTable::add(std::string_view path) {
  if (path.empty()) return kRoot;
  PathId id = kRoot;
  for (const std::string_view name : split(path, '/')) id = child(id, name);
  return id;
}

PathId PathTable::find(std::string_view path) const noexcept {
  PathId id = kRoot;
  while (!path.empty() && id != kNoPath) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    id = find_child(id, path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return id;
}

std::string PathTable::path(PathId id) const {
  std::size_t length = 0;
  for (PathId at = id; at != kRoot; at = parent(at)) length += name(at).size() + 1;
  if (length == 0) return {};
  std::string out(length - 1, '/');
  for (PathId at = id; at != kRoot; at = parent(at)) {
    length -= name(at).size() + 1;
    std::copy(name(at).begin(), name(at).end(), out.begin() + static_cast<std::ptrdiff_t>(length));
  }
  return out;
}

std::uint32_t FilePool::add_text(std::string_view text) {
  check_room(texts_.size(), text.size() + sizeof(std::uint32_t));
  const auto at = static_cast<std::uint32_t>(texts_.size());
  append_field(texts_, text);
  return at;
}

std::string_view FilePool::text(std::uint32_t at) const noexcept { return field_at(texts_, at); }

std::uint32_t FilePool::add_xattrs(const std::map<std::string, std::string>& xattrs) {
  if (xattrs.empty()) return 0;
  std::string fields;
  for (const auto& [name, value] : xattrs) {
    append_field(fields, name);
    append_field(fields, value);
  }
  const auto [found, added] =
      xattrs_seen_.try_emplace(fields, static_cast<std::uint32_t>(xattrs_.size() + 1));
  if (added) xattrs_.push_back(std::move(fields));
  return found->second;
}

std::map<std::string, std::string> FilePool::xattrs(std::uint32_t at) const {
  std::map<std::string, std::string> out;
  if (at == 0) return out;
  const std::string_view fields = xattrs_[at - 1];
  for (std::size_t i = 0; i < fields.size();) {
    const std::string_view name = field_at(fields, i);
    i += name.size() + sizeof(std::uint32_t);
    const std::string_view value = field_at(fields, i);
    i += value.size() + sizeof(std::uint32_t);
    out.emplace(name, value);
  }
  return out;
}

std::uint32_t FilePool::add_digest(const Sha256& digest) {
  check_room(digests_.size(), 1);
  digests_.push_back(digest);
  return static_cast<std::uint32_t>(digests_.size());
}

std::optional<FilePool::Sha256> sha256_bytes(std::string_view algorithm, std::string_view hex) {
  FilePool::Sha256 out{};
  if (algorithm != "sha256" || hex.size() != out.size() * 2) return std::nullopt;
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < out.size(); ++i) {
    out.at(i) = static_cast<std::uint8_t>(value(hex[2 * i]) * 16 + value(hex[2 * i + 1]));
  }
  return out;
}

std::string hex_of(const FilePool::Sha256& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : digest) {
    out += kDigits[byte / 16U];
    out += kDigits[byte % 16U];
  }
  return out;
}

Attributes attributes_of(const FileRow& row, const FilePool& pool) {
  Attributes out;
  out.type = static_cast<FileType>(row.kind);
  out.mode = row.mode;
  out.uid = row.uid;
  out.gid = row.gid;
  out.mtime = {row.mtime, row.mtime_nanoseconds};
  if (row.kind == FileKind::regular) out.size = row.size;
  if (row.kind == FileKind::symlink) out.link_target = pool.text(row.link);
  if (row.kind == FileKind::character || row.kind == FileKind::block) {
    out.device_major = static_cast<std::uint32_t>(row.size >> 32U);
    out.device_minor = static_cast<std::uint32_t>(row.size);
  }
  out.xattrs = pool.xattrs(row.xattrs);
  return out;
}

FileRow row_of(const Attributes& attributes, FilePool& pool) {
  static_assert(static_cast<int>(FileKind::block) == static_cast<int>(FileType::block) &&
                static_cast<int>(FileKind::symlink) == static_cast<int>(FileType::symlink));
  FileRow row;
  row.kind = static_cast<FileKind>(attributes.type);
  row.mode = static_cast<std::uint16_t>(attributes.mode & 07777U);
  row.uid = attributes.uid;
  row.gid = attributes.gid;
  row.mtime = attributes.mtime.seconds;
  row.mtime_nanoseconds = attributes.mtime.nanoseconds;
  row.xattrs = pool.add_xattrs(attributes.xattrs);
  if (row.kind == FileKind::regular) row.size = attributes.size;
  if (row.kind == FileKind::symlink) row.link = pool.add_text(attributes.link_target);
  if (row.kind == FileKind::character || row.kind == FileKind::block) {
    row.size = std::uint64_t{attributes.device_major} << 32U | attributes.device_minor;
  }
  return row;
}

}  // namespace lade::files
