#include "libimage/oci/layout.h"

#include "libimage/base/text.h"
#include "libimage/oci/json_reader.h"

namespace lade::oci {
namespace {

constexpr std::uint64_t kMaxMarkerBytes = 65'536;  // one short member and room for others

bool is_version_1(std::string_view version) {
  const auto parts = split(version, '.');
  if (parts.size() != 3 || parts[0] != "1") return false;
  return parse_decimal(parts[1]).has_value() && parse_decimal(parts[2]).has_value();
}

}  // namespace

std::string layout_marker() { return R"({"imageLayoutVersion":"1.0.0"})"; }

void check_layout_marker(std::string_view json) {
  with_context([] { return kLayoutFile; },
               [&] {
                 json::Value value = json::parse(json, kMaxMarkerBytes);
                 json::ObjectReader object(value, "");
                 const std::string version = json::checked_string(
                     object.take_required("imageLayoutVersion"), "imageLayoutVersion");
                 if (!is_version_1(version)) {
                   json::fail("imageLayoutVersion",
                              cat(quoted(version.substr(0, 40)), " is not a version 1 layout"));
                 }
               });
}

}  // namespace lade::oci
