#include <algorithm>
#include <array>

#include "libimage/base/bytes.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/packages/databases.h"
#include "libimage/packages/record_text.h"

// Go's debug/buildinfo: a blob ".go.buildinfo" that begins with a magic, aligned to 16 bytes.
namespace lade::packages {
namespace {

constexpr std::string_view kMagic = "\xff Go buildinf:";
constexpr std::size_t kSearched = std::size_t{64} * 1024;  // as Go's own reader
constexpr std::uint64_t kMaxInfoBytes = std::uint64_t{4} << 20U;
constexpr std::size_t kMaxHeaders = 4096;

/// Numbers of an ELF file of either byte order and width.
class Elf {
 public:
  explicit Elf(File& file) : file_(file) {
    const std::string ident = bytes(0, 16);
    wide_ = ident[4] == 2;
    big_ = ident[5] == 2;
  }
  std::string bytes(std::uint64_t offset, std::size_t count) {
    std::string out(count, '\0');
    if (file_.read_at(offset, std::as_writable_bytes(std::span<char>(out))) != count)
      throw Error(Errc::invalid_content, "ELF file: cut short");
    return out;
  }
  [[nodiscard]] std::uint64_t number(std::string_view from, std::size_t at,
                                     std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t from_low = big_ ? size - 1 - i : i;
      value |= std::uint64_t{static_cast<unsigned char>(from.at(at + i))} << (8 * from_low);
    }
    return value;
  }

  /// Where the build information may begin, and how much is there.
  struct Range {
    std::uint64_t offset = 0, size = 0;
  };
  std::optional<Range> build_info() {
    const std::string header = bytes(0, wide_ ? 64 : 52);
    if (auto section = named_section(header)) return section;
    return writable_segment(header);
  }

 private:
  std::optional<Range> named_section(std::string_view header) {
    const std::uint64_t table = wide_ ? number(header, 40, 8) : number(header, 32, 4);
    const std::size_t size = wide_ ? 64 : 40;
    const std::uint64_t count = number(header, wide_ ? 60 : 48, 2);
    const std::uint64_t names = number(header, wide_ ? 62 : 50, 2);
    if (table == 0 || count == 0 || count > kMaxHeaders || names >= count) return std::nullopt;
    const std::string sections = bytes(table, static_cast<std::size_t>(count) * size);
    const auto range = [&](std::uint64_t index) {
      const std::size_t at = static_cast<std::size_t>(index) * size;
      return wide_ ? Range{number(sections, at + 24, 8), number(sections, at + 32, 8)}
                   : Range{number(sections, at + 16, 4), number(sections, at + 20, 4)};
    };
    const Range strings = range(names);
    constexpr std::string_view kName(".go.buildinfo\0", 14);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t name = number(sections, static_cast<std::size_t>(i) * size, 4);
      if (name + kName.size() > strings.size) continue;
      if (bytes(strings.offset + name, kName.size()) == kName) return range(i);
    }
    return std::nullopt;
  }

  std::optional<Range> writable_segment(std::string_view header) {
    constexpr std::uint64_t kLoad = 1;
    constexpr std::uint64_t kWrite = 2;
    const std::uint64_t table = wide_ ? number(header, 32, 8) : number(header, 28, 4);
    const std::size_t size = wide_ ? 56 : 32;
    const std::uint64_t count = number(header, wide_ ? 56 : 44, 2);
    if (table == 0 || count > kMaxHeaders) return std::nullopt;
    const std::string segments = bytes(table, static_cast<std::size_t>(count) * size);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = i * size;
      const std::uint64_t flags = number(segments, at + (wide_ ? 4 : 24), 4);
      if (number(segments, at, 4) != kLoad || (flags & kWrite) == 0) continue;
      return wide_ ? Range{number(segments, at + 8, 8), number(segments, at + 32, 8)}
                   : Range{number(segments, at + 4, 4), number(segments, at + 16, 4)};
    }
    return std::nullopt;
  }

  File& file_;
  bool wide_ = true;
  bool big_ = false;
};

/// A text with its length in front, as Go's binary.Uvarint writes it.
std::string take_text(Elf& elf, std::uint64_t& offset, std::uint64_t end) {
  std::uint64_t length = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (shift > 28 || offset >= end)
      throw Error(Errc::invalid_content, "Go build information: bad length");
    const auto byte = static_cast<unsigned char>(elf.bytes(offset++, 1).front());
    length |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) break;
  }
  if (length > kMaxInfoBytes)
    throw Error(Errc::limit_exceeded, "Go build information: larger than 4 MiB");
  const std::string text = elf.bytes(offset, static_cast<std::size_t>(length));
  offset += length;
  return text;
}

std::optional<Package> module_of(const std::vector<std::string_view>& fields) {
  if (fields.size() < 3) return std::nullopt;
  const std::string path = field_text(fields[1]);
  if (path.empty()) return std::nullopt;
  Package package{.type = "golang", .version = field_text(fields[2])};
  if (package.version == "(devel)") package.version.clear();
  const std::size_t slash = path.rfind('/');
  package.name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (slash != std::string::npos) package.space = path.substr(0, slash);
  return package;
}

std::vector<Package> modules_of(std::string_view text) {
  // Between two markers of 16 bytes, which tell Go's linker where it is.
  if (text.size() >= 33 && text[text.size() - 17] == '\n') text = text.substr(16, text.size() - 32);
  std::vector<Package> found;
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> fields = split(line, '\t');
    if (fields[0] != "mod" && fields[0] != "dep" && fields[0] != "=>") continue;
    std::optional<Package> package = module_of(fields);
    if (!package) continue;
    if (fields[0] == "=>" && !found.empty()) found.pop_back();  // built from this instead
    if (found.size() == kMaxPackages)
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxPackages, " modules"));
    found.push_back(*std::move(package));
  }
  return found;
}

}  // namespace

std::vector<Package> read_go_binary(File& program) {
  std::array<std::byte, 4> head{};
  if (program.size() < 64 || program.read_at(0, head) != head.size() ||
      chars_of(ByteView(head)) !=
          "\x7f"
          "ELF")
    return {};
  Elf elf(program);
  const std::optional<Elf::Range> range = elf.build_info();
  if (!range || range->offset >= program.size()) return {};
  const std::uint64_t there = std::min(range->size, program.size() - range->offset);
  const std::string begin =
      elf.bytes(range->offset, static_cast<std::size_t>(std::min<std::uint64_t>(there, kSearched)));
  std::size_t at = begin.find(kMagic);
  while (at != std::string::npos && at % 16 != 0) at = begin.find(kMagic, at + 1);
  if (at == std::string::npos || begin.size() - at < 32) return {};
  constexpr unsigned kInline = 2;
  if ((static_cast<unsigned char>(begin[at + 15]) & kInline) == 0)
    throw Error(Errc::unsupported,
                "built by Go 1.17 or older, whose build information is not read");
  std::uint64_t offset = range->offset + at + 32;
  const std::string toolchain = take_text(elf, offset, program.size());
  std::vector<Package> found = modules_of(take_text(elf, offset, program.size()));
  if (toolchain.starts_with("go"))
    found.push_back({.type = "golang",
                     .name = "stdlib",
                     .version = field_text(toolchain.substr(2, toolchain.find(' ') - 2))});
  return found;
}

}  // namespace lade::packages
