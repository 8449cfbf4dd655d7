// lade history IMAGE
#include "libimage/image/history.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/image/select.h"
#include "libimage/image/tree_text.h"
#include "libimage/name/platform.h"
#include "libimage/oci/json_text.h"
#include "libimage/template/format.h"

#include "tools/common/groups.h"
#include "tools/common/terminal.h"
#include "tools/copy/one_side.h"
#include "tools/inspect/overview_format.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 6> kHistoryOptions = {{
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "of an index, the image for this platform instead of this machine's"},
    {.name = "no-trunc", .help = "whole commands and digests"},
    {.name = "human",
     .letter = 'H',
     .help = "sizes and dates for people; false: bytes and RFC 3339",
     .optional_value = true},
    {.name = "quiet", .letter = 'q', .help = "only the digests of the layers"},
    {.name = "reverse", .help = "oldest first"},
    {.name = "format", .letter = 'f', .value = "FORMAT", .help = kFormatHelp},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kHistoryOptions, kRegistryOptions,
                                                                kPlaceOptions};
constexpr std::array<std::string_view, 6> kExamples = {
    "Which line made which layer", "lade history docker://registry.example/app:1.0",
    "All of it, for a script",     "lade history --format json --platform linux/arm64 oci:app:1.0",
    "Commands and sizes",          "lade history --format '{{.size}} {{.createdBy}}' app",
};

/// What a table shows of a line.
struct Cells {
  std::string created, size, layer, created_by, comment;
};

/// "2026-01-02 03:04" of RFC 3339; `text` if it is none.
std::string date_of(const std::string& text) {
  const auto time = parse_rfc3339(text);
  if (!time) return printable(text);
  std::string date = to_rfc3339({.seconds = time->seconds}).substr(0, 16);
  date[10] = ' ';
  return date;
}

Cells cells_of(const image::HistoryLine& line, const Arguments& arguments) {
  const bool human = arguments.tri_state("human").value_or(true);
  const std::uint64_t size = line.layer ? line.layer->size : 0;
  Cells cells{.created = human ? date_of(line.entry.created) : printable(line.entry.created),
              .size = human ? human_size(size) : cat(size),
              .layer = "-",
              .created_by = {},
              .comment = image::shown(line.entry.comment)};
  if (line.layer) {
    const Digest& digest = line.layer->digest;
    cells.layer = arguments.flag("no-trunc") ? digest.str() : digest.brief();
  }
  cells.created_by = arguments.flag("no-trunc") ? image::shown(line.entry.created_by)
                                                : image::instruction_of(line.entry.created_by);
  return cells;
}

/// The command gives way where the terminal is too narrow; piped, it is cut as docker does.
void print_table(const std::vector<image::HistoryLine>& lines, const Arguments& arguments) {
  constexpr std::size_t kPipedCommand = 45;
  std::vector<Cells> rows = {{"CREATED", "SIZE", "LAYER", "CREATED BY", "COMMENT"}};
  for (const image::HistoryLine& line : lines) rows.push_back(cells_of(line, arguments));
  const bool comments = std::any_of(rows.begin() + 1, rows.end(),
                                    [](const Cells& row) { return !row.comment.empty(); });
  if (!comments) rows.front().comment.clear();
  std::size_t created = 0, size = 0, layer = 0, command = 0, comment = 0;
  for (const Cells& row : rows) {
    created = std::max(created, row.created.size());
    size = std::max(size, row.size.size());
    layer = std::max(layer, row.layer.size());
    command = std::max(command, row.created_by.size());
    comment = std::max(comment, row.comment.size());
  }
  if (!arguments.flag("no-trunc")) {
    const std::size_t others = created + size + layer + 6 + (comment > 0 ? comment + 2 : 0);
    const std::size_t width =
        is_terminal(Stream::output) ? terminal_width(Stream::output, 80) : others + kPipedCommand;
    command = std::min(command, std::max<std::size_t>(width > others ? width - others : 0, 20));
  }
  std::string out;
  for (const Cells& row : rows) {
    std::string text = row.created_by;
    if (text.size() > command) text = cat(image::first_characters(text, command - 1), "…");
    std::string line = cat(padded_right(row.created, created), "  ", padded_left(row.size, size),
                           "  ", padded_right(row.layer, layer), "  ", text);
    if (!row.comment.empty()) {
      const std::size_t shown = image::code_points(text);
      line += cat(std::string(command > shown ? command - shown : 0, ' '), "  ", row.comment);
    }
    while (line.ends_with(' ')) line.pop_back();
    out += cat(line, "\n");
  }
  print(out);
}

std::string row_json(const image::HistoryLine& line) {
  std::string out = cat("{\"created\":", oci::json_string(line.entry.created),
                        ",\"createdBy\":", oci::json_string(line.entry.created_by),
                        ",\"author\":", oci::json_string(line.entry.author),
                        ",\"comment\":", oci::json_string(line.entry.comment),
                        ",\"emptyLayer\":", line.layer ? "false" : "true",
                        ",\"size\":", line.layer ? line.layer->size : 0);
  if (line.layer) {
    out += cat(",\"layer\":", oci::json_string(line.layer->digest.str()),
               ",\"mediaType\":", oci::json_string(line.layer->media_type));
  }
  return out + "}";
}

void print_history(const std::vector<image::HistoryLine>& lines, const Arguments& arguments) {
  if (arguments.flag("quiet")) {
    for (const image::HistoryLine& line : lines) {
      if (line.layer) print(cat(line.layer->digest.str(), "\n"));
    }
    return;
  }
  const std::string format = checked_format(arguments);
  if (format == "text") {
    print_table(lines, arguments);
    return;
  }
  std::string json;
  for (const image::HistoryLine& line : lines) {
    json += cat(json.empty() ? "[" : ",", row_json(line));
  }
  print(formatted_rows(json.empty() ? "[]" : json + "]", format));
}

int run_history(const Arguments& arguments, const Environment& environment) {
  if (arguments.flag("quiet") && arguments.flag("format")) {
    throw UsageError("--quiet prints digests: it takes no --format");
  }
  (void)checked_format(arguments);
  const oci::Platform platform =
      arguments.value("platform") ? parse_platform(*arguments.value("platform")) : host_platform();
  const std::string& name = arguments.positional().front();
  OneSide side(arguments, environment);
  with_context(
      [&] { return cat("history ", printable(name)); },
      [&] {
        OpenedImage opened = open_image(name, *side.session, side.stores, Reading::surely);
        const oci::Document document = image::select(*opened.reader, opened.root, platform);
        const auto& manifest = std::get<oci::Manifest>(document.parsed);
        const oci::ImageConfig config = image::read_config(*opened.reader, manifest);
        std::vector<image::HistoryLine> lines = image::history_of(config.history, manifest.layers);
        if (!arguments.flag("reverse")) std::reverse(lines.begin(), lines.end());
        print_history(lines, arguments);
      });
  return 0;
}

}  // namespace

const VerbSpec kHistoryVerb = {
    .name = "history",
    .synopsis = "IMAGE",
    .summary = "show the steps that made an image and the layers that they made",
    .description =
        "Shows the history of IMAGE, newest step first: when it was made, the bytes of its layer "
        "as stored, the layer's digest ('-' for a step that made none), and the command. No layer "
        "is read. JSON and templates have created, createdBy, author, comment, emptyLayer, size, "
        "layer and mediaType.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_history,
    .group = "Inspect",
};

}  // namespace lade::tools
