#include "tools/copy/name_list.h"

#include <algorithm>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

#include "tools/common/terminal.h"

namespace lade::tools {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kBufferBytes = std::size_t{16} << 10;
// Sorted names are held: some 500 MB of them at most.
constexpr std::size_t kMaxSorted = 10'000'000;
constexpr std::size_t kLookedAtOnce = 256;
constexpr std::size_t kSlack = 100'000;

std::vector<Pattern> patterns(const std::vector<std::string>& expressions) {
  std::vector<Pattern> made;
  for (const std::string& expression : expressions) {
    made.emplace_back(expression, Pattern::Match::whole);
  }
  return made;
}

}  // namespace

TagFilter read_filter(const Arguments& arguments) {
  TagFilter filter{.include = patterns(arguments.values("filter")),
                   .exclude = patterns(arguments.values("exclude")),
                   .omit_digest_tags = arguments.flag("omit-digest-tags")};
  for (const std::string& range : arguments.values("semver")) {
    filter.ranges.push_back(SemverRange::parse(range));
  }
  return filter;
}

NameList::NameList(const Arguments& arguments, const std::string& name, std::string_view member,
                   std::string prefix)
    : filter_(read_filter(arguments)),
      reverse_(arguments.flag("reverse")),
      json_(arguments.value_or("format", "text") == "json"),
      limit_(arguments.number("limit", 1, kNoLimit).value_or(kNoLimit)),
      prefix_(std::move(prefix)) {
  if (const auto order = arguments.value("sort")) {
    order_ = *order == "semver" ? TagOrder::semver : TagOrder::name;
  }
  if (!json_) return;
  buffer_ = "{\n";
  if (!name.empty()) buffer_ += cat("  \"name\": ", oci::json_string(name), ",\n");
  buffer_ += cat("  ", oci::json_string(member), ": [");
}

bool NameList::add(const std::string& name) {
  if (!filter_.keeps(name)) return true;
  if (!keeps_all()) {
    print_name(name);
    return printed_ < limit_;
  }
  kept_.push_back(name);
  if (limit_ < kMaxSorted && kept_.size() >= 2 * limit_ + kSlack) arrange();
  if (kept_.size() > kMaxSorted) {
    throw Error(Errc::limit_exceeded,
                cat("more than ", kMaxSorted, " names cannot be sorted; use --filter or --limit"));
  }
  return true;
}

/// Sorts what there is and drops what the limit leaves out.
void NameList::arrange() {
  if (order_) {
    sort_tags(kept_, *order_);
    if (reverse_) std::reverse(kept_.begin(), kept_.end());
    if (kept_.size() > limit_) kept_.resize(limit_);
  } else if (kept_.size() > limit_) {  // of the order they came in, the last ones
    kept_.erase(kept_.begin(), kept_.end() - static_cast<std::ptrdiff_t>(limit_));
  }
}

void NameList::print_name(const std::string& name) {
  ++printed_;
  if (!look_) {
    print_row(name, nullptr);
    return;
  }
  waiting_.push_back(name);
  if (waiting_.size() >= kLookedAtOnce) print_waiting();
}

void NameList::print_waiting() {
  if (waiting_.empty()) return;
  const std::vector<Details> details = look_(waiting_);
  for (std::size_t i = 0; i < waiting_.size(); ++i) print_row(waiting_[i], &details[i]);
  waiting_.clear();
}

void NameList::print_row(std::string_view name, const Details* details) {
  const std::string full = cat(prefix_, name);
  if (json_) {
    buffer_ += rows_++ == 0 ? "\n    " : ",\n    ";
    buffer_ += details == nullptr ? oci::json_string(full)
                                  : cat("{\"name\": ", oci::json_string(full), details->json, "}");
  } else {
    buffer_ += cat(printable(full), details == nullptr ? "" : details->text, "\n");
  }
  if (buffer_.size() >= kBufferBytes) flush();
}

void NameList::flush() {
  print(buffer_);
  buffer_.clear();
}

void NameList::finish() {
  if (keeps_all()) {
    arrange();
    if (!order_ && reverse_) std::reverse(kept_.begin(), kept_.end());
    for (const std::string& name : kept_) print_name(name);
  }
  print_waiting();
  if (json_) buffer_ += cat(printed_ == 0 ? "]" : "\n  ]", "\n}\n");
  flush();
}

}  // namespace lade::tools
