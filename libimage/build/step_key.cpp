#include "libimage/build/step_key.h"

#include <algorithm>
#include <array>

namespace lade::build {
namespace {

constexpr std::size_t kMaxFiles = 5'000;
constexpr unsigned kFirstDepth = 3;
constexpr std::size_t kMaxValue = 160;

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(16, '0');
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit, value >>= 4U)
    *digit = kDigits[value & 15U];
  return out;
}

}  // namespace

std::string kept_value(std::string_view value) {
  if (value.size() <= kMaxValue) return std::string(value);
  return cat(value.substr(0, kMaxValue), "... (", value.size(),
             " bytes, sha256:", sha256_of(value).encoded().substr(0, 12), ")");
}

std::string_view StepKey::folded(std::string_view path, unsigned depth) {
  std::size_t end = 0;
  for (unsigned i = 0; i < depth; ++i) {
    end = path.find('/', end == 0 ? 0 : end + 1);
    if (end == std::string_view::npos) return path;
  }
  return path.substr(0, end);
}

StepKey& StepKey::note_file(std::string_view path, std::uint64_t fingerprint) {
  if (!keeps_) return *this;
  const std::string_view kept = depth_ == ~0U ? path : folded(path, depth_);
  if (!files_.empty() && depth_ != ~0U && files_.back().first == kept) {
    files_.back().second = files_.back().second * 31 + fingerprint;
  } else {
    files_.emplace_back(kept, fingerprint);
  }
  if (files_.size() > kMaxFiles) fold_files();
  return *this;
}

/// Keeps fewer components of the paths, until half of the room is free.
void StepKey::fold_files() {
  while (files_.size() > kMaxFiles / 2 && depth_ > 0) {
    depth_ = depth_ == ~0U ? kFirstDepth : depth_ - 1;
    std::vector<std::pair<std::string, std::uint64_t>> out;
    for (const auto& [path, fingerprint] : files_) {
      const std::string_view kept = folded(path, depth_);
      if (!out.empty() && out.back().first == kept) {
        out.back().second = out.back().second * 31 + fingerprint;
      } else {
        out.emplace_back(kept, fingerprint);
      }
    }
    files_ = std::move(out);
  }
}

std::vector<StepInput> StepKey::take_inputs() {
  std::vector<StepInput> out = std::move(inputs_);
  const bool whole = depth_ == ~0U;
  for (const auto& [path, fingerprint] : files_)
    out.push_back({cat(whole ? "file " : "files ", path), hex(fingerprint)});
  files_.clear();
  return out;
}

}  // namespace lade::build
