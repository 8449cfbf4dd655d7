#include "libimage/build/explain.h"

#include <algorithm>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"
#include "libimage/local/cache.h"
#include "libimage/oci/json_text.h"

namespace lade::build {
namespace {

constexpr std::string_view kHeader = "lade step records 1\n";
constexpr std::uint64_t kMaxBytes = std::uint64_t{8} << 20U;
constexpr std::size_t kMostShown = 12;

std::string_view name_of(StepChange::Kind kind) {
  switch (kind) {
    case StepChange::Kind::added:
      return "added";
    case StepChange::Kind::removed:
      return "removed";
    case StepChange::Kind::changed:
      return "changed";
  }
  return "";
}

bool is_file(std::string_view input) {
  return input.starts_with("file ") || input.starts_with("files ");
}

std::string to_text(const StepChange& change) {
  const std::string input = printable(change.input);
  if (is_file(change.input)) return cat(input, ": ", name_of(change.kind));
  switch (change.kind) {
    case StepChange::Kind::added:
      return cat(input, ": added, ", quoted(change.after));
    case StepChange::Kind::removed:
      return cat(input, ": removed, was ", quoted(change.before));
    case StepChange::Kind::changed:
      return cat(input, ": ", quoted(change.before), " -> ", quoted(change.after));
  }
  return input;
}

void put_field(std::string& out, std::string_view field) {
  out += cat(field.size(), ":");
  out += field;
}

/// Takes fields off a text; `ok` is false from the first that is none.
struct FieldReader {
  std::string_view rest;
  bool ok = true;

  std::string field() {
    const std::size_t colon = rest.find(':');
    const auto size =
        colon == std::string_view::npos ? std::nullopt : parse_decimal(rest.substr(0, colon));
    if (!size || *size > rest.size() - colon - 1) {
      ok = false;
      return {};
    }
    std::string out(rest.substr(colon + 1, *size));
    rest.remove_prefix(colon + 1 + *size);
    return out;
  }
  std::size_t number() {
    const auto value = parse_decimal(field());
    if (!value || *value > kMaxBytes) ok = false;
    return ok ? static_cast<std::size_t>(*value) : 0;
  }
};

}  // namespace

std::vector<StepChange> changes(const std::vector<StepInput>& before,
                                const std::vector<StepInput>& after) {
  std::map<std::string_view, std::string_view> old;
  for (const StepInput& input : before) old[input.name] = input.value;
  std::vector<StepChange> out;
  for (const StepInput& input : after) {
    const auto known = old.find(input.name);
    if (known == old.end()) {
      out.push_back({.kind = StepChange::Kind::added, .input = input.name, .after = input.value});
      continue;
    }
    if (known->second != input.value)
      out.push_back(
          {.input = input.name, .before = std::string(known->second), .after = input.value});
    old.erase(known);
  }
  for (const StepInput& input : before) {
    if (old.erase(input.name) > 0)
      out.push_back(
          {.kind = StepChange::Kind::removed, .input = input.name, .before = input.value});
  }
  const auto named = [](std::string_view name) {
    return [name](const StepChange& change) { return change.input == name; };
  };
  if (std::any_of(out.begin(), out.end(), named(kBaseInput))) std::erase_if(out, named(kTreeInput));
  return out;
}

std::string to_text(const Explanation& explanation) {
  std::string out = cat(explanation.step, ": ", explanation.result, ", ", explanation.reason);
  const std::size_t shown = std::min(explanation.changes.size(), kMostShown);
  for (std::size_t i = 0; i < shown; ++i) out += cat("\n    ", to_text(explanation.changes[i]));
  if (shown < explanation.changes.size())
    out += cat("\n    and ", explanation.changes.size() - shown, " more");
  return out;
}

std::string to_json(const Explanation& explanation) {
  std::string changes;
  for (const StepChange& change : explanation.changes) {
    if (!changes.empty()) changes += ",";
    changes += cat("{\"input\":", oci::json_string(change.input),
                   ",\"change\":", oci::json_string(name_of(change.kind)));
    if (change.kind != StepChange::Kind::added)
      changes += cat(",\"before\":", oci::json_string(change.before));
    if (change.kind != StepChange::Kind::removed)
      changes += cat(",\"after\":", oci::json_string(change.after));
    changes += "}";
  }
  return cat("{\"step\":", oci::json_string(explanation.step),
             ",\"result\":", oci::json_string(explanation.result),
             ",\"reason\":", oci::json_string(explanation.reason), ",\"changes\":[", changes, "]}");
}

std::string write_records(const std::map<StepPlace, StepRecord>& records) {
  std::string out(kHeader);
  for (const auto& [place, record] : records) {
    put_field(out, place.first);
    put_field(out, cat(place.second));
    put_field(out, record.key);
    put_field(out, record.text);
    put_field(out, cat(record.inputs.size()));
    for (const StepInput& input : record.inputs) {
      put_field(out, input.name);
      put_field(out, input.value);
    }
  }
  return out;
}

std::map<StepPlace, StepRecord> parse_records(std::string_view text) {
  if (!text.starts_with(kHeader)) return {};
  FieldReader reader{text.substr(kHeader.size())};
  std::map<StepPlace, StepRecord> out;
  while (reader.ok && !reader.rest.empty()) {
    StepPlace place{reader.field(), 0};
    place.second = reader.number();
    StepRecord record{.key = reader.field(), .text = reader.field()};
    for (std::size_t left = reader.number(); left > 0 && reader.ok; --left) {
      StepInput input{reader.field(), {}};
      input.value = reader.field();
      record.inputs.push_back(std::move(input));
    }
    if (reader.ok) out[std::move(place)] = std::move(record);
  }
  return reader.ok ? out : std::map<StepPlace, StepRecord>();
}

StepRecords::StepRecords(LocalStore& store, std::string_view identity)
    : store_(store), name_(sha256_of(identity).encoded()) {
  const auto text = read_kept(store_, kRecordsDir, name_, kMaxBytes);
  if (text) old_ = parse_records(*text);
}

std::optional<StepRecord> StepRecords::last(const StepPlace& place, const std::string& text) {
  const std::scoped_lock lock(mutex_);
  const auto there = old_.find(place);
  if (there != old_.end() && there->second.text == text) return there->second;
  for (const auto& [other, record] : old_) {
    if (other.first == place.first && record.text == text) return record;
  }
  if (there != old_.end()) return there->second;
  return std::nullopt;
}

void StepRecords::put(const StepPlace& place, StepRecord record) {
  const std::scoped_lock lock(mutex_);
  const auto known = old_.find(place);
  changed_ |=
      known == old_.end() || known->second.key != record.key || known->second.text != record.text;
  now_[place] = std::move(record);
}

void StepRecords::save() noexcept {
  try {
    const std::scoped_lock lock(mutex_);
    if (!changed_) return;
    for (const auto& [place, record] : old_) now_.try_emplace(place, record);
    std::string text = write_records(now_);
    if (text.size() > kMaxBytes) {  // the steps stay known, what they depend on does not
      for (auto& [place, record] : now_) record.inputs.clear();
      text = write_records(now_);
    }
    if (text.size() <= kMaxBytes) keep(store_, kRecordsDir, name_, text);
    changed_ = false;
  } catch (const std::exception&) {  // only explanations are lost
  }
}

}  // namespace lade::build
