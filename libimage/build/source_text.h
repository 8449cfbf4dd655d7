#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/error.h"

namespace lade::build {

/// Lines of a file, from 1; `last` is the line that the item ends on.
struct LineRange {
  std::size_t first = 0;
  std::size_t last = 0;
  auto operator<=>(const LineRange&) const = default;
};

/// `text` without the user information of the URLs in it (CVE-2023-26054): logs are for everybody.
std::string hide_credentials(std::string_view text);

/// The text of a Containerfile under the name that messages give it.
class SourceText {
 public:
  SourceText(std::string name, std::string text);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// "Containerfile:12"
  [[nodiscard]] std::string place(const LineRange& lines) const;
  /// The lines with one neighbour on each side, numbered, `lines` marked by '>'; safe to print. Of
  /// long items only the first lines are shown.
  [[nodiscard]] std::string excerpt(const LineRange& lines) const;
  /// An Error "Containerfile:12: message", the excerpt below it.
  [[nodiscard]] Error error(Errc code, const LineRange& lines, std::string_view message,
                            ErrorDetail detail = {}) const;

 private:
  [[nodiscard]] std::string_view line(std::size_t number) const;

  std::string name_;
  std::string text_;
  std::vector<std::size_t> starts_ = {0};  // of the lines
};

/// Shared by every instruction of the file.
using SourcePtr = std::shared_ptr<const SourceText>;

}  // namespace lade::build
