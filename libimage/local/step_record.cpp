#include "libimage/local/step_record.h"

#include <algorithm>
#include <utility>

#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::string_view kStepHeader = "lade step 1";
constexpr std::string_view kSnapshotHeader = "lade snapshot 1";
constexpr std::string_view kNone = "-";

/// Takes lines "name value" from the front of a text, in a fixed order.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  std::optional<std::string_view> line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return found;
  }
  std::optional<std::string_view> value(std::string_view name) {
    const auto found = line();
    if (!found || found->size() <= name.size() || !found->starts_with(name) ||
        (*found)[name.size()] != ' ') {
      return std::nullopt;
    }
    return found->substr(name.size() + 1);
  }
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

std::optional<oci::Descriptor> parse_layer(std::string_view text) {
  const auto pieces = split(text, ' ');
  if (pieces.size() != 3) return std::nullopt;
  const auto digest = Digest::try_parse(pieces[0]);
  const auto size = parse_decimal(pieces[1]);
  if (!digest || !size || !oci::is_media_type(pieces[2])) return std::nullopt;
  return oci::Descriptor{.media_type = std::string(pieces[2]), .digest = *digest, .size = *size};
}

}  // namespace

bool is_step_key(std::string_view key) noexcept {
  return key.size() >= 16 && key.size() <= 128 && std::all_of(key.begin(), key.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string write_step(const StepResult& result) {
  std::string text = cat(kStepHeader, '\n');
  if (result.layer) {
    text += cat("layer ", result.layer->digest.str(), ' ', result.layer->size, ' ',
                result.layer->media_type, "\ndiff-id ", result.diff_id->value.str(), '\n');
  } else {
    text += cat("layer ", kNone, "\ndiff-id ", kNone, '\n');
  }
  return text + cat("uncompressed ", result.uncompressed_bytes, "\nnote ", result.note.size(), '\n',
                    result.note);
}

std::optional<StepResult> parse_step(std::string key, std::string_view text) {
  Lines lines(text);
  if (lines.line() != kStepHeader) return std::nullopt;
  const auto layer = lines.value("layer");
  const auto diff_id = lines.value("diff-id");
  const auto uncompressed = lines.value("uncompressed");
  const auto note = lines.value("note");
  if (!layer || !diff_id || !uncompressed || !note) return std::nullopt;
  StepResult result{.key = std::move(key)};
  if ((*layer == kNone) != (*diff_id == kNone)) return std::nullopt;
  if (*layer != kNone) {
    result.layer = parse_layer(*layer);
    const auto parsed = Digest::try_parse(*diff_id);
    if (!result.layer || !parsed) return std::nullopt;
    result.diff_id = DiffId{*parsed};
  }
  const auto bytes = parse_decimal(*uncompressed);
  if (!bytes || parse_decimal(*note) != lines.rest().size() || lines.rest().size() > kMaxStepNote) {
    return std::nullopt;
  }
  result.uncompressed_bytes = *bytes;
  result.note = lines.rest();
  return result;
}

std::string write_snapshot_record(const SnapshotRecord& record) {
  return cat(kSnapshotHeader, "\nboot ", record.boot, "\ndiff-id ", record.diff_id.value.str(),
             "\nparent ", record.parent ? std::string_view(record.parent->value.str()) : kNone,
             '\n');
}

std::optional<SnapshotRecord> parse_snapshot_record(std::string_view text) {
  Lines lines(text);
  if (lines.line() != kSnapshotHeader) return std::nullopt;
  const auto boot = lines.value("boot");
  const auto diff_id = lines.value("diff-id");
  const auto parent = lines.value("parent");
  if (!boot || !diff_id || !parent || !lines.rest().empty()) return std::nullopt;
  const auto parsed = Digest::try_parse(*diff_id);
  if (!parsed) return std::nullopt;
  SnapshotRecord record{.boot = std::string(*boot), .diff_id = DiffId{*parsed}};
  if (*parent != kNone) {
    const auto chain = Digest::try_parse(*parent);
    if (!chain) return std::nullopt;
    record.parent = ChainId{*chain};
  }
  return record;
}

}  // namespace lade
