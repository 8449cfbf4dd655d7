/// Writes one JSON object, members in the order of the calls. Internal to libimage/oci,
/// libimage/runtime.
#pragma once
#include <string>
#include <string_view>

#include "libimage/oci/descriptor.h"
#include "libimage/oci/json_value.h"

namespace lade::oci::json {

class ObjectWriter {
 public:
  /// `text` is JSON.
  void raw(std::string_view name, std::string_view text) {
    out_ += out_.empty() ? '{' : ',';
    append_string(out_, name);
    out_ += ':';
    out_ += text;
  }
  void string(std::string_view name, std::string_view text) {
    raw(name, "");
    append_string(out_, text);
  }
  /// Nothing at all if `text` is empty.
  void string_if(std::string_view name, std::string_view text) {
    if (!text.empty()) string(name, text);
  }
  template <typename Strings>
  void strings(std::string_view name, const Strings& items) {
    list(name, items, append_string);
  }
  /// `append(out, item)` writes an item.
  template <typename Items, typename Append>
  void list(std::string_view name, const Items& items, const Append& append) {
    raw(name, "[");
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += ',';
      first = false;
      append(out_, item);
    }
    out_ += ']';
  }
  template <typename Map>
  void map(std::string_view name, const Map& entries) {
    ObjectWriter inner;
    for (const auto& [key, text] : entries) inner.string(key, text);
    raw(name, inner.finish());
  }
  void unknown(const UnknownMembers& members) {
    for (const auto& [name, text] : members) raw(name, text);
  }
  /// The object's text; the writer is empty afterwards.
  std::string finish() {
    if (out_.empty()) out_ = "{";
    out_ += '}';
    return std::move(out_);
  }

 private:
  std::string out_;
};

}  // namespace lade::oci::json
