#pragma once
#include <charconv>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade::build {

/// One thing that a step depends on, for people: "environment CC" and its value, "file src/a.c" and
/// a fingerprint.
struct StepInput {
  std::string name;
  std::string value;
  bool operator==(const StepInput&) const = default;
};

/// The base image ("debian:12@sha256:..."), and the chain ID of the tree that a step works on.
inline constexpr std::string_view kBaseInput = "base image";
inline constexpr std::string_view kTreeInput = "the tree below";

/// What of a value is kept: the whole of a short one, else its beginning and a digest.
std::string kept_value(std::string_view value);

/// A cache key in the making: fields with their lengths, so that no two lists of fields are the
/// same bytes. Beside it, on request, the inputs by name, which are not in the key but tell later
/// what changed in it.
class StepKey {
 public:
  explicit StepKey(std::string_view kind) {
    add("lade step 2");  // the rules' version: a change of what a key covers is a new number
    add(kind);
  }
  StepKey& add(std::string_view field) {
    // Gathered: a COPY of many files has millions of short fields.
    append_number(field.size());
    pending_ += ':';
    if (pending_.size() + field.size() > kPending) flush();
    if (field.size() > kPending) {
      hasher_.update(field);
    } else {
      pending_ += field;
    }
    return *this;
  }
  template <typename Range>
  StepKey& add_all(const Range& fields) {
    add(cat(fields.size()));
    for (const std::string& field : fields) add(field);
    return *this;
  }
  /// 64 hex digits.
  [[nodiscard]] std::string str() {
    flush();
    return std::string(hasher_.digest().encoded());
  }

  /// From now on note() and note_file() keep what they are told.
  StepKey& keep_inputs() {
    keeps_ = true;
    return *this;
  }
  [[nodiscard]] bool keeps_inputs() const noexcept { return keeps_; }
  StepKey& note(std::string_view name, std::string_view value) {
    if (keeps_) inputs_.push_back({std::string(name), kept_value(value)});
    return *this;
  }
  /// A file by the digest of all that counts of it. Of very many only the directories are kept.
  StepKey& note_file(std::string_view path, std::uint64_t fingerprint);
  /// The inputs kept so far, files last and in order.
  [[nodiscard]] std::vector<StepInput> take_inputs();

 private:
  static constexpr std::size_t kPending = 4096;
  void append_number(std::size_t number) {
    char digits[20];  // of 2^64
    const auto end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
    pending_.append(std::begin(digits), end);
  }
  void flush() {
    hasher_.update(pending_);
    pending_.clear();
  }
  void fold_files();
  static std::string_view folded(std::string_view path, unsigned depth);

  Hasher hasher_;
  std::string pending_;  // not in hasher_ yet
  bool keeps_ = false;
  std::vector<StepInput> inputs_;
  std::vector<std::pair<std::string, std::uint64_t>> files_;
  unsigned depth_ = ~0U;  // components of a path that are kept
};

}  // namespace lade::build
