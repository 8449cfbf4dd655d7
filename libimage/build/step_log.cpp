#include "libimage/build/step_log.h"

#include <algorithm>
#include <vector>

#include "libimage/base/text.h"

namespace lade::build {

void StepLog::add(std::string_view text) {
  const std::size_t fits = std::min(text.size(), kMaxPart - head_.size());
  head_ += text.substr(0, fits);
  text.remove_prefix(fits);
  if (text.size() > kMaxPart) {
    dropped_ += tail_.size() + text.size() - kMaxPart;
    tail_.clear();
    text.remove_prefix(text.size() - kMaxPart);
  }
  tail_ += text;
  if (tail_.size() < 2 * kMaxPart) return;
  dropped_ += tail_.size() - kMaxPart;
  tail_.erase(0, tail_.size() - kMaxPart);
}

std::string StepLog::text() const {
  if (dropped_ == 0) return head_ + tail_;
  return cat(head_, "\n[", dropped_, " bytes left out]\n", tail_);
}

std::string StepLog::last_lines(std::size_t count, std::string_view indent) const {
  constexpr std::size_t kMaxLine = 2000;
  const std::string all = tail_.size() > kMaxPart / 2 ? tail_ : head_ + tail_;
  std::vector<std::string_view> lines;
  std::string_view rest = all;
  while (rest.ends_with('\n')) rest.remove_suffix(1);
  while (!rest.empty() && lines.size() < count) {
    const std::size_t start = rest.rfind('\n');
    const std::size_t from = start == std::string_view::npos ? 0 : start + 1;
    lines.push_back(rest.substr(from));
    rest = from == 0 ? std::string_view() : rest.substr(0, from - 1);
  }
  std::string out;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    std::string_view shown = *line;
    if (shown.ends_with('\r')) shown.remove_suffix(1);
    out += cat(indent, printable(shown.substr(0, kMaxLine)), "\n");
  }
  return out;
}

}  // namespace lade::build
