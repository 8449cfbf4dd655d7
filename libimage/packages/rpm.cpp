#include <cstdint>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/packages/databases.h"
#include "libimage/packages/record_text.h"
#include "libimage/packages/sqlite_table.h"

namespace lade::packages {
namespace {

constexpr std::size_t kMaxIndexEntries = 65'536;  // rpm's own limit for what is in a header

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  if (at + 4 > bytes.size()) throw Error(Errc::invalid_content, "RPM header: cut short");
  std::uint32_t value = 0;
  for (const char c : bytes.substr(at, 4)) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

/// "name-version-release.src.rpm" to the name.
std::string source_name(std::string_view file) {
  for (int i = 0; i < 2; ++i) {
    const std::size_t dash = file.rfind('-');
    if (dash == std::string_view::npos) return {};
    file = file.substr(0, dash);
  }
  return std::string(file);
}

}  // namespace

// Index count, data length, 16 bytes for each tag (tag, type, offset, count), data (rpm's
// docs/manual/format.md, "Header").
std::optional<Package> parse_rpm_header(std::string_view blob) {
  enum Tag : std::uint32_t {
    name = 1000,
    version,
    release,
    epoch,
    vendor = 1011,
    license = 1014,
    url = 1020,
    arch = 1022,
    source = 1044,
  };
  constexpr std::uint32_t kInt32 = 4;
  constexpr std::uint32_t kString = 6;
  constexpr std::uint32_t kI18nString = 9;
  const std::uint32_t count = number_at(blob, 0);
  const std::uint32_t length = number_at(blob, 4);
  if (count > kMaxIndexEntries)
    throw Error(Errc::limit_exceeded, "RPM header: more than 65536 tags");
  const std::size_t start = 8 + std::size_t{count} * 16;
  if (start > blob.size() || length > blob.size() - start)
    throw Error(Errc::invalid_content, "RPM header: cut short");
  const std::string_view data = blob.substr(start, length);
  Package package{.type = "rpm"};
  std::string release_text;
  std::string epoch_text;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t tag = number_at(blob, 8 + i * 16);
    const std::uint32_t type = number_at(blob, 12 + i * 16);
    const std::uint32_t offset = number_at(blob, 16 + i * 16);
    if (offset > data.size()) throw Error(Errc::invalid_content, "RPM header: cut short");
    if (tag == Tag::epoch && type == kInt32) epoch_text = cat(number_at(data, offset));
    if (type != kString && type != kI18nString) continue;
    const std::string_view rest = data.substr(offset);
    const std::string text = field_text(rest.substr(0, rest.find('\0')));
    switch (tag) {
      case Tag::name:
        package.name = text;
        break;
      case Tag::version:
        package.version = text;
        break;
      case Tag::release:
        release_text = text;
        break;
      case Tag::vendor:
        package.supplier = text;
        break;
      case Tag::license:
        package.license = text;
        break;
      case Tag::url:
        package.homepage = text;
        break;
      case Tag::arch:
        package.architecture = text;
        break;
      case Tag::source:
        package.source = source_name(text);
        break;
      default:
        break;
    }
  }
  if (package.name.empty() || package.name == "gpg-pubkey") return std::nullopt;
  if (!release_text.empty()) package.version += cat("-", release_text);
  if (!epoch_text.empty() && epoch_text != "0") package.version.insert(0, cat(epoch_text, ":"));
  if (package.source == package.name) package.source.clear();
  return package;
}

std::vector<Package> read_rpm_database(File& database) {
  std::vector<Package> found;
  for_each_sqlite_row(database, "Packages", [&](const std::vector<SqliteValue>& row) {
    const auto* blob = row.size() < 2 ? nullptr : std::get_if<std::string>(&row[1]);
    if (blob == nullptr) throw Error(Errc::invalid_content, "RPM database: a row has no header");
    std::optional<Package> package = parse_rpm_header(*blob);
    if (!package) return;
    if (found.size() == kMaxPackages)
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxPackages, " packages"));
    found.push_back(*std::move(package));
  });
  return found;
}

}  // namespace lade::packages
