#include "libimage/transports/archive_index.h"

#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/tar_header.h"

namespace lade {

/// The bytes of an archive, asked for from front to back.
class TarBytes {
 public:
  virtual ~TarBytes() = default;
  /// Up to out.size() bytes from `offset`, fewer only at the end.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) = 0;
  /// Where the archive ends; known after a read that came to the end.
  [[nodiscard]] virtual std::uint64_t end() const = 0;
};

namespace {

// The largest image archives have a few thousand members; more only costs memory.
constexpr std::size_t kMaxMembers = 200'000;
// PATH_MAX of Linux is 4096; a PAX header may hold some records that we skip beside path and link.
constexpr std::uint64_t kMaxNameBytes = std::uint64_t{64} * 1024;
constexpr std::uint64_t kMaxPaxBytes = std::uint64_t{1024} * 1024;
constexpr int kMaxLinkHops = 8;
// Far beyond any disk; sums of two sizes do not wrap.
constexpr std::uint64_t kMaxArchiveBytes = std::uint64_t{1} << 60U;

class FixedBytes final : public TarBytes {
 public:
  FixedBytes(const ReadAt& read_at, std::uint64_t size) : read_at_(read_at), size_(size) {}
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset >= size_) return 0;
    const std::uint64_t left = size_ - offset;
    return read_at_(offset, left < out.size() ? out.first(static_cast<std::size_t>(left)) : out);
  }
  [[nodiscard]] std::uint64_t end() const override { return size_; }

 private:
  const ReadAt& read_at_;
  std::uint64_t size_;
};

/// A stream: what lies before the offset asked for is read and dropped.
class ForwardBytes final : public TarBytes {
 public:
  explicit ForwardBytes(Source& stream) : stream_(stream), dropped_(kChunkBytes) {}
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (offset < at_) throw Error(Errc::internal, "archive: a stream was asked to go back");
    while (at_ < offset) {
      const std::size_t got = stream_.read(std::span(dropped_).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(offset - at_, dropped_.size()))));
      if (got == 0) return 0;
      at_ += got;
    }
    const std::size_t got = read_full(stream_, out);
    at_ += got;
    return got;
  }
  [[nodiscard]] std::uint64_t end() const override { return at_; }

 private:
  Source& stream_;
  std::vector<std::byte> dropped_;
  std::uint64_t at_ = 0;
};

[[noreturn]] void fail(std::uint64_t offset, std::string_view message) {
  throw Error(Errc::invalid_content, cat("archive: at byte ", offset, ": ", message));
}

/// `path` relative to the archive's root without "." and empty components.
std::string member_path(const std::string& path, std::uint64_t offset) {
  if (path.find('\0') != std::string::npos) fail(offset, "member name with a NUL");
  if (path.starts_with('/')) fail(offset, cat("member ", quoted(path), " is absolute"));
  std::string out;
  for (const std::string_view piece : split(path, '/')) {
    if (piece.empty() || piece == ".") continue;
    if (piece == "..") fail(offset, cat("member ", quoted(path), " leaves the archive"));
    if (!out.empty()) out += '/';
    out += piece;
  }
  return out;
}

/// Where the link `target` of a member points, relative to the root; nullopt if outside.
std::optional<std::string> resolved_target(const ArchiveMember& link) {
  if (link.target.starts_with('/') || link.target.find('\0') != std::string::npos) {
    return std::nullopt;
  }
  std::vector<std::string_view> parts;
  const auto push_all = [&](std::string_view path) {
    for (const std::string_view piece : split(path, '/')) {
      if (piece.empty() || piece == ".") continue;
      if (piece != "..") {
        parts.push_back(piece);
      } else if (parts.empty()) {
        return false;
      } else {
        parts.pop_back();
      }
    }
    return true;
  };
  if (link.kind == ArchiveMember::Kind::symlink) {
    const std::size_t slash = link.path.rfind('/');
    if (slash != std::string::npos) push_all(std::string_view(link.path).substr(0, slash));
  }
  if (!push_all(link.target)) return std::nullopt;
  std::string out;
  for (const std::string_view part : parts) out += cat(out.empty() ? "" : "/", part);
  return out;
}

/// Reads headers one after another; keeps what PAX and GNU headers said of the next file entry.
class HeaderReader {
 public:
  explicit HeaderReader(TarBytes& bytes) : bytes_(bytes) {}

  std::optional<ArchiveMember> next();

 private:
  enum class Found { header, end };
  Found read_header(TarHeader& header);
  std::string content_of(const TarHeader& header, std::uint64_t limit);
  void skip_content(std::uint64_t bytes);
  void take_pax(const TarHeader& header);
  ArchiveMember member_of(const TarHeader& header);

  TarBytes& bytes_;
  std::uint64_t at_ = 0;
  std::uint64_t header_at_ = 0;
  std::uint64_t content_end_ = 0;  // of the last member, without padding
  PaxRecords pax_ = {};
  std::optional<std::string> long_name_ = {};
  std::optional<std::string> long_link_ = {};
};

HeaderReader::Found HeaderReader::read_header(TarHeader& header) {
  TarBlock block{};
  const std::size_t got = bytes_.read_at(at_, block);
  if (got == 0) {
    if (bytes_.end() < content_end_) {
      fail(header_at_, "truncated: the member goes beyond the archive's end");
    }
    return Found::end;  // some writers leave the last padding and the end-of-archive blocks out
  }
  header_at_ = at_;
  if (got != block.size()) fail(at_, "truncated header");
  at_ += block.size();
  if (is_zero(block)) {
    TarBlock second{};
    const std::size_t more = bytes_.read_at(at_, second);
    if (more == second.size() && !is_zero(second)) fail(at_, "members after a lone zero block");
    return Found::end;
  }
  try {
    header = parse_tar_header(block);
  } catch (const Error& e) {
    fail(header_at_, e.what());
  }
  return Found::header;
}

void HeaderReader::skip_content(std::uint64_t bytes) {
  if (bytes > kMaxArchiveBytes - at_) fail(header_at_, "the member goes beyond any archive's end");
  content_end_ = at_ + bytes;
  at_ += padded_size(bytes);
}

std::string HeaderReader::content_of(const TarHeader& header, std::uint64_t limit) {
  if (header.size > limit) {
    throw Error(Errc::limit_exceeded, cat("archive: at byte ", header_at_, ": extended header of ",
                                          header.size, " bytes"));
  }
  const std::uint64_t from = at_;
  skip_content(header.size);
  std::string text(static_cast<std::size_t>(header.size), '\0');
  const auto out = std::as_writable_bytes(std::span(text.data(), text.size()));
  if (!out.empty() && bytes_.read_at(from, out) != out.size()) fail(header_at_, "truncated header");
  return text;
}

void HeaderReader::take_pax(const TarHeader& header) {
  const std::string text = content_of(header, kMaxPaxBytes);
  PaxRecords records;
  try {
    records = parse_pax(text);
  } catch (const Error& e) {
    fail(header_at_, e.what());
  }
  if (header.type != 'g') {
    pax_ = std::move(records);
  } else if (records.path || records.link_path || records.size) {
    fail(header_at_, "global header that renames or resizes members");
  }
}

std::optional<ArchiveMember> HeaderReader::next() {
  for (;;) {
    TarHeader header;
    if (read_header(header) == Found::end) return std::nullopt;
    switch (header.type) {
      case 'x':
      case 'X':
      case 'g':
        take_pax(header);
        continue;
      case 'L':
      case 'K': {
        std::string text = content_of(header, kMaxNameBytes);
        while (text.ends_with('\0')) text.pop_back();
        (header.type == 'L' ? long_name_ : long_link_) = std::move(text);
        continue;
      }
      default:
        return member_of(header);
    }
  }
}

ArchiveMember HeaderReader::member_of(const TarHeader& header) {
  using Kind = ArchiveMember::Kind;
  const PaxRecords pax = std::exchange(pax_, {});
  const std::string gnu_name = std::exchange(long_name_, {}).value_or(header.path);
  const std::string gnu_link = std::exchange(long_link_, {}).value_or(header.link);
  const std::string path = pax.path.value_or(gnu_name);
  ArchiveMember member;
  member.path = member_path(path, header_at_);
  member.target = pax.link_path.value_or(gnu_link);
  const std::uint64_t size = pax.size.value_or(header.size);
  switch (header.type) {
    case '\0':
    case '0':
    case '7':
      member.kind = path.ends_with('/') ? Kind::directory : Kind::file;
      break;
    case '1':
      member.kind = Kind::hard_link;
      break;
    case '2':
      member.kind = Kind::symlink;
      break;
    case '5':
      member.kind = Kind::directory;
      break;
    case 'S':
      throw Error(Errc::unsupported,
                  cat("archive: member ", quoted(member.path), " is a GNU sparse file"));
    default:
      member.kind = Kind::other;
  }
  const bool may_have_content = member.kind == Kind::file || header.type > '7';
  if (!may_have_content && size != 0) {
    fail(header_at_, cat("member ", quoted(member.path), " has content and may not"));
  }
  if (pax.sparse) {
    throw Error(Errc::unsupported,
                cat("archive: member ", quoted(member.path), " is a PAX sparse file"));
  }
  member.offset = at_;
  if (member.kind == Kind::file) member.size = size;
  skip_content(size);
  return member;
}

}  // namespace

ArchiveIndex ArchiveIndex::read(const ReadAt& read_at, std::uint64_t size) {
  FixedBytes bytes(read_at, size);
  return read_members(bytes, {});
}

ArchiveIndex ArchiveIndex::read(
    Source& stream, const std::function<void(const ArchiveMember&, const ReadAt&)>& visit) {
  ForwardBytes bytes(stream);
  ArchiveIndex index = read_members(bytes, visit);
  drain(stream);  // what decodes it checks its end
  return index;
}

ArchiveIndex ArchiveIndex::read_members(
    TarBytes& bytes, const std::function<void(const ArchiveMember&, const ReadAt&)>& visit) {
  ArchiveIndex index;
  HeaderReader reader(bytes);
  const ReadAt read_at = [&](std::uint64_t offset, std::span<std::byte> out) {
    return bytes.read_at(offset, out);
  };
  while (std::optional<ArchiveMember> member = reader.next()) {
    if (index.members_.size() == kMaxMembers) {
      throw Error(Errc::limit_exceeded, cat("archive: more than ", kMaxMembers, " members"));
    }
    if (visit) visit(*member, read_at);
    index.add(*std::move(member));
  }
  return index;
}

void ArchiveIndex::add(ArchiveMember member) {
  const auto [place, fresh] = places_.try_emplace(member.path, Place{members_.size()});
  // Directories are often stored again; a second anything else is a second meaning of its name.
  if (!fresh && (member.kind != ArchiveMember::Kind::directory ||
                 members_[place->second.position].kind != ArchiveMember::Kind::directory)) {
    place->second.several = true;
  }
  members_.push_back(std::move(member));
}

bool ArchiveIndex::are_alike(std::string_view path, const SameContent& same) const {
  if (!same) return false;
  const ArchiveMember* first = nullptr;
  for (const ArchiveMember& member : members_) {
    if (member.path != path) continue;
    if (member.kind != ArchiveMember::Kind::file) return false;
    if (first != nullptr && (member.size != first->size || !same(*first, member))) return false;
    if (first == nullptr) first = &member;
  }
  return true;
}

const ArchiveMember* ArchiveIndex::find(std::string_view path, const SameContent& same) const {
  std::string wanted(path);
  for (int hop = 0; hop <= kMaxLinkHops; ++hop) {
    const auto place = places_.find(wanted);
    if (place == places_.end()) return nullptr;
    // Some builders store a layer once for each time that it is used.
    if (place->second.several && !are_alike(wanted, same)) {
      throw Error(Errc::invalid_content,
                  cat("archive: several members are called ", quoted(wanted)));
    }
    const ArchiveMember& member = members_[place->second.position];
    if (member.kind == ArchiveMember::Kind::file) return &member;
    if (member.kind != ArchiveMember::Kind::symlink &&
        member.kind != ArchiveMember::Kind::hard_link) {
      throw Error(Errc::invalid_content, cat("archive: ", quoted(wanted), " is not a file"));
    }
    std::optional<std::string> target = resolved_target(member);
    if (!target) {
      throw Error(Errc::invalid_content,
                  cat("archive: the link ", quoted(member.path), " leaves the archive"));
    }
    wanted = *std::move(target);
  }
  throw Error(Errc::invalid_content, cat("archive: too many links at ", quoted(path)));
}

}  // namespace lade
