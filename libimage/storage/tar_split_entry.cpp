#include "libimage/storage/tar_split_entry.h"

#include <array>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"
#include "libimage/oci/json_value.h"

namespace lade {
namespace {

namespace json = oci::json;

constexpr std::uint64_t kLargestSize = std::uint64_t{1} << 62U;
constexpr std::size_t kCrcBytes = 8;

[[noreturn]] void throw_invalid(std::string_view message) {
  throw Error(Errc::invalid_content, cat("tar-split entry: ", message));
}

std::uint64_t number_of(json::Value& value, std::string_view name) {
  const auto* number = value.as<json::Number>();
  const auto parsed = number == nullptr ? std::nullopt : parse_decimal(number->spelling);
  if (!parsed || *parsed > kLargestSize) throw_invalid(cat(name, " is no size"));
  return *parsed;
}

std::string text_of(json::Value& value, std::string_view name) {
  auto* text = value.as<std::string>();
  if (text == nullptr) throw_invalid(cat(name, " is not a string"));
  return std::move(*text);
}

std::string bytes_in(json::Value& value, std::string_view name) {
  if (value.is_null()) return {};
  auto bytes = from_base64(text_of(value, name));
  if (!bytes) throw_invalid(cat(name, " is not base64"));
  return *std::move(bytes);
}

std::uint64_t crc_in(std::string_view payload) {
  if (payload.size() != kCrcBytes) throw_invalid("a file's payload is no CRC-64");
  std::uint64_t crc = 0;
  for (const char byte : payload) crc = crc << 8U | static_cast<unsigned char>(byte);
  return crc;
}

TarSplitEntry::Type type_in(json::Value& value) {
  switch (number_of(value, "type")) {
    case 1:
      return TarSplitEntry::Type::file;
    case 2:
      return TarSplitEntry::Type::segment;
    default:
      throw_invalid("unknown type");
  }
}

}  // namespace

TarSplitEntry parse_tar_split_entry(std::string_view line) {
  json::Value document = json::parse(line, kMaxTarSplitLine);
  auto* members = document.as<json::Object>();
  if (members == nullptr) throw_invalid("not an object");
  TarSplitEntry entry;
  bool typed = false;
  std::string payload;
  for (auto& [name, value] : *members) {
    if (name == "type") {
      entry.type = type_in(value);
      typed = true;
    } else if (name == "name") {
      if (entry.name.empty()) entry.name = text_of(value, name);
    } else if (name == "name_raw") {
      if (std::string raw = bytes_in(value, name); !raw.empty()) entry.name = std::move(raw);
    } else if (name == "size") {
      entry.size = number_of(value, name);
    } else if (name == "payload") {
      payload = bytes_in(value, name);
    } else if (name == "position") {
      (void)number_of(value, name);
    } else {
      throw_invalid(cat("unknown member ", quoted(name)));
    }
  }
  if (!typed) throw_invalid("no type");
  if (entry.type == TarSplitEntry::Type::segment) {
    if (entry.size != 0 || !entry.name.empty()) throw_invalid("a segment with name or size");
    entry.bytes = std::move(payload);
    return entry;
  }
  if (entry.name.empty()) throw_invalid("a file without name");
  if (entry.name.find('\0') != std::string::npos) throw_invalid("a name with a NUL byte");
  if (!payload.empty()) entry.crc = crc_in(payload);
  if (entry.size != 0 && !entry.crc) throw_invalid("a file without its checksum");
  return entry;
}

void append_tar_split_entry(std::string& out, const TarSplitEntry& entry, std::uint64_t position) {
  if (entry.type == TarSplitEntry::Type::segment) {
    out += R"({"type":2,"payload":")";
    out += to_base64(entry.bytes);
    out += '"';
  } else {
    out += R"({"type":1,)";
    if (is_utf8(entry.name)) {
      out += cat(R"("name":)", oci::json_string(entry.name));
    } else {
      out += cat(R"("name_raw":")", to_base64(entry.name), '"');
    }
    if (entry.size != 0) out += cat(R"(,"size":)", entry.size);
    if (entry.crc) {
      std::array<char, kCrcBytes> bytes{};
      for (std::size_t i = 0; i < kCrcBytes; ++i) {
        bytes[i] = static_cast<char>(*entry.crc >> (8 * (kCrcBytes - 1 - i)) & 0xFFU);
      }
      out += cat(R"(,"payload":")", to_base64(std::string_view(bytes.data(), bytes.size())), '"');
    } else {
      out += R"(,"payload":null)";
    }
  }
  out += cat(R"(,"position":)", position, "}\n");
}

}  // namespace lade
