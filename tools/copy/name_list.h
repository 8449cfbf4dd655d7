/// Long lists of names (tags, repositories): filtered, sorted and printed as they come.
#pragma once
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/name/tag_filter.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::array<std::string_view, 2> kListFormats = {"text", "json"};

/// Options of every list.
inline constexpr std::array<OptionSpec, 4> kListOptions = {{
    {.name = "filter",
     .value = "REGEX",
     .help = "only names that match the whole expression, or one of several",
     .repeats = true},
    {.name = "exclude",
     .value = "REGEX",
     .help = "no names that match the whole expression",
     .repeats = true},
    {.name = "limit", .value = "N", .help = "the first N names at most"},
    {.name = "format", .value = "FORMAT", .help = "how to print the list", .choices = kListFormats},
}};

/// The conditions of --filter, --exclude, --semver and --omit-digest-tags, as far as the verb has
/// them.
TagFilter read_filter(const Arguments& arguments);

/// Prints the names that it is given, as they come or, if they are sorted or reversed, at the end.
/// Memory is bounded: unsorted names are not kept, and of sorted ones not many more than --limit.
class NameList {
 public:
  /// JSON: {"name": `name`, `member`: [...]}, without the name if that is empty. `prefix` is
  /// printed before each name, unseen by the filters.
  NameList(const Arguments& arguments, const std::string& name, std::string_view member,
           std::string prefix = {});

  /// What is known of a name: `text` goes behind it in a list, `json` into the object that it is
  /// then, as members (",\"digest\":...").
  struct Details {
    std::string text = {};
    std::string json = {};
  };
  /// Asks `look` for details of names, some hundred at a time, before they are printed.
  void with_details(
      std::function<std::vector<Details>(const std::vector<std::string>& names)> look) {
    look_ = std::move(look);
  }

  /// Takes the next name; false: no more are wanted.
  bool add(const std::string& name);
  void finish();

 private:
  [[nodiscard]] bool keeps_all() const { return order_ || reverse_; }
  void arrange();
  void print_name(const std::string& name);
  void print_row(std::string_view name, const Details* details);
  void print_waiting();
  void flush();

  TagFilter filter_;
  std::optional<TagOrder> order_;
  bool reverse_ = false;
  bool json_ = false;
  std::size_t limit_;
  std::string prefix_;
  std::vector<std::string> kept_;
  std::function<std::vector<Details>(const std::vector<std::string>&)> look_;
  std::vector<std::string> waiting_;  // for their details
  std::size_t printed_ = 0;
  std::size_t rows_ = 0;  // written
  std::string buffer_;
};

}  // namespace lade::tools
