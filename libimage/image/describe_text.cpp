#include <algorithm>
#include <cmath>

#include "libimage/base/text.h"
#include "libimage/image/describe.h"
#include "libimage/oci/json_text.h"

namespace lade::image {
namespace {

enum class Style { plain, strong, faint, warning };

struct Span {
  std::string text;
  Style style = Style::plain;
};
using Line = std::vector<Span>;

/// A branch of the printed tree.
struct Branch {
  Line head;
  std::vector<Line> details = {};
  std::vector<Branch> children = {};
};

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// The first `count` characters of `text`.
std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size() && count > 0) {
    ++at;
    while (at < text.size() && (text[at] & 0xC0) == 0x80) ++at;
    --count;
  }
  return text.substr(0, at);
}

class Printer {
 public:
  explicit Printer(const TextOptions& options) : options_(options) {}

  void print(const Branch& root) {
    line({}, root.head);
    below(root, {});
  }
  void line(std::string_view prefix, const Line& spans) {
    std::size_t left = options_.width == 0 ? std::string::npos : options_.width;
    std::size_t needed = code_points(prefix);
    for (const Span& span : spans) needed += code_points(span.text);
    const bool cut = needed > left;
    if (cut) left -= 1;  // for the ellipsis
    append(prefix, Style::faint, left);
    for (const Span& span : spans) append(span.text, span.style, left);
    if (cut) out_ += options_.ascii ? "~" : "…";
    while (out_.ends_with(' ')) out_.pop_back();
    out_ += '\n';
  }
  std::string take() { return std::move(out_); }

 private:
  void below(const Branch& branch, const std::string& prefix) {
    const std::string_view bar = options_.ascii ? "|  " : "│  ";
    for (const Line& detail : branch.details) {
      line(cat(prefix, branch.children.empty() ? std::string_view("   ") : bar), detail);
    }
    for (const Branch& child : branch.children) {
      const bool last = &child == &branch.children.back();
      const std::string_view tee = options_.ascii ? "|- " : "├─ ";
      const std::string_view corner = options_.ascii ? "`- " : "└─ ";
      line(cat(prefix, last ? corner : tee), child.head);
      below(child, cat(prefix, last ? std::string_view("   ") : bar));
    }
  }
  void append(std::string_view text, Style style, std::size_t& left) {
    const std::string_view shown = left == std::string::npos ? text : first_characters(text, left);
    if (left != std::string::npos) left -= code_points(shown);
    if (shown.empty()) return;
    const std::string_view code = !options_.colour          ? ""
                                  : style == Style::strong  ? "\x1b[1m"
                                  : style == Style::faint   ? "\x1b[2m"
                                  : style == Style::warning ? "\x1b[33m"
                                                            : "";
    out_ += code;
    out_ += shown;
    if (!code.empty()) out_ += "\x1b[0m";
  }

  const TextOptions& options_;
  std::string out_;
};

/// Text of a document on one line, harmless to a terminal.
std::string shown(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  return printable(trimmed(line));
}

std::string padded_left(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}
std::string padded_right(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string counted(std::size_t count, std::string_view one) {
  return cat(count, " ", one, count == 1 ? "" : "s");
}

/// `created_by` as its author wrote it: without what builders put around it.
std::string instruction_of(std::string_view created_by) {
  constexpr std::string_view kShell = "/bin/sh -c ";
  constexpr std::string_view kNop = "#(nop) ";
  constexpr std::string_view kRun = "RUN ";
  constexpr std::string_view kBuildKit = " # buildkit";
  if (created_by.ends_with(kBuildKit)) created_by.remove_suffix(kBuildKit.size());
  std::string_view command = created_by;
  if (command.starts_with(kRun)) command.remove_prefix(kRun.size());
  if (command.starts_with('|')) {  // "|1 ARG=value /bin/sh -c ...": build arguments come first
    const std::size_t shell = command.find(kShell);
    if (shell != std::string_view::npos) command.remove_prefix(shell);
  }
  if (!command.starts_with(kShell)) return shown(created_by);
  command.remove_prefix(kShell.size());
  if (command.starts_with(kNop)) return shown(command.substr(kNop.size()));
  return cat(kRun, shown(command));
}

std::string json_list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    out += cat(out.size() == 1 ? "" : ", ", printable(oci::json_string(item)));
  }
  return out + "]";
}

template <typename Items>
std::string joined(const Items& items) {
  std::string out;
  for (const std::string& item : items) out += cat(out.empty() ? "" : ", ", shown(item));
  return out;
}

void add_detail(Branch& branch, std::string_view name, std::string value,
                Style style = Style::plain) {
  if (value.empty()) return;
  branch.details.push_back({{cat(name, " "), Style::faint}, {std::move(value), style}});
}

void add_map(Branch& branch, std::string_view name,
             const std::map<std::string, std::string>& entries) {
  for (const auto& [key, value] : entries) {
    add_detail(branch, name, cat(shown(key), "=", shown(value)));
  }
}

void add_config(Branch& branch, const Node& node) {
  if (!node.config) return;
  add_detail(branch, "created", shown(node.config->created));
  add_detail(branch, "author", shown(node.config->author));
  if (!node.config->config) return;
  const oci::ExecutionConfig& config = *node.config->config;
  add_detail(branch, "user", shown(config.user));
  if (config.entrypoint) add_detail(branch, "entrypoint", json_list(*config.entrypoint));
  if (config.cmd) add_detail(branch, "cmd", json_list(*config.cmd));
  add_detail(branch, "workdir", shown(config.working_dir));
  for (const std::string& variable : config.env) add_detail(branch, "env", shown(variable));
  add_detail(branch, "ports", joined(config.exposed_ports));
  add_detail(branch, "volumes", joined(config.volumes));
  add_detail(branch, "stop signal", shown(config.stop_signal));
  if (config.healthcheck) add_detail(branch, "healthcheck", json_list(config.healthcheck->test));
  add_map(branch, "label", config.labels);
}

Branch layer_branch(const LayerLine& layer, std::size_t number, std::size_t images,
                    std::string_view word) {
  Branch out;
  const std::string how = layer.packing.empty() ? layer.codec : layer.packing;
  out.head = {
      {cat(word, " ", number, "  "), Style::plain},
      {padded_left(human_size(layer.descriptor.size), 8), Style::strong},
      {"  ", Style::plain},
      {padded_right(how.empty() ? shown(layer.descriptor.media_type) : how, 8), Style::plain},
      {"  ", Style::plain},
      {layer.descriptor.digest.brief(), Style::faint}};
  if (images > 1) {
    const std::string mark =
        layer.images > 1 ? cat("in ", layer.images, " of ", images, " images") : std::string();
    out.head.push_back({cat("  ", padded_right(mark, 16)), Style::plain});
  }
  if (oci::is_nondistributable(layer.descriptor.media_type)) {
    out.head.push_back({"  nondistributable", Style::warning});
  }
  const std::string title = layer.descriptor.annotation("org.opencontainers.image.title");
  const std::string made_by =
      layer.created_by.empty() ? shown(title) : instruction_of(layer.created_by);
  if (!made_by.empty()) out.head.push_back({cat("  ", made_by), Style::plain});
  return out;
}

std::string_view kind_word(Node::Kind kind) {
  return kind == Node::Kind::other ? "entry" : name_of(kind);
}

Line head_of(const Node& node, bool root) {
  Line out;
  if (!node.platform.empty()) {
    out.push_back({cat(shown(node.platform), "  "), Style::strong});
  }
  if (root || node.platform.empty()) {
    out.push_back({cat(kind_word(node.kind), "  "), Style::strong});
  }
  out.push_back(
      {root ? node.descriptor.digest.str() : node.descriptor.digest.brief(), Style::faint});
  if (node.kind == Node::Kind::index) {
    const std::size_t entries = node.children.size();
    out.push_back({cat("  ", entries, entries == 1 ? " entry" : " entries")});
  } else if (node.config_blob) {
    out.push_back(
        {cat("  ", human_size(node.layer_bytes()), " in ",
             counted(node.layers.size(), node.kind == Node::Kind::image ? "layer" : "blob"))});
  } else {
    out.push_back({cat("  ", human_size(node.descriptor.size))});
  }
  if (!node.tag.empty()) out.push_back({cat("  ", shown(node.tag))});
  if (!node.artifact_type.empty()) out.push_back({cat("  ", shown(node.artifact_type))});
  if (!node.predicates.empty()) out.push_back({cat("  ", joined(node.predicates))});
  return out;
}

Branch branch_of(const Node& node, std::size_t images, bool root) {
  Branch out{.head = head_of(node, root)};
  if (root) add_detail(out, "media type", shown(node.descriptor.media_type));
  add_detail(out, "problem", shown(node.problem), Style::warning);
  if (node.subject) add_detail(out, "subject", node.subject->str());
  if (node.kind == Node::Kind::image || node.kind == Node::Kind::index) {
    if (node.descriptor.annotations) add_map(out, "entry annotation", *node.descriptor.annotations);
    add_map(out, "annotation", node.annotations);
  }
  add_config(out, node);
  if (node.kind == Node::Kind::image || (root && node.kind != Node::Kind::index)) {
    const std::string_view word = node.kind == Node::Kind::image ? "layer" : "blob";
    for (std::size_t i = 0; i < node.layers.size(); ++i) {
      out.children.push_back(layer_branch(node.layers[i], i + 1, images, word));
    }
  }
  for (const Node& child : node.children) out.children.push_back(branch_of(child, images, false));
  for (const Node& child : node.attestations) {
    out.children.push_back(branch_of(child, images, false));
  }
  if (node.referrers) {
    for (const Node& referrer : *node.referrers) {
      out.children.push_back(branch_of(referrer, images, false));
      out.children.back().head.insert(out.children.back().head.begin(), {"referrer: "});
    }
  }
  return out;
}

/// "2 images, 6 layers of 89.0 MB; stored once each: 5 layers of 60.1 MB, 32 % less"
std::string summary(const Totals& totals) {
  std::string out = cat(counted(totals.images, "image"), ", ", counted(totals.layers, "layer"),
                        " of ", human_size(totals.layer_bytes));
  if (totals.unique_layers < totals.layers && totals.layer_bytes > 0) {
    const double share = 1.0 - static_cast<double>(totals.unique_layer_bytes) /
                                   static_cast<double>(totals.layer_bytes);
    out += cat("; stored once each: ", counted(totals.unique_layers, "layer"), " of ",
               human_size(totals.unique_layer_bytes), ", ", std::lround(share * 100.0), " % less");
  }
  if (totals.problems > 0) out += cat("; ", counted(totals.problems, "problem"));
  return out;
}

}  // namespace

std::string to_text(const Description& description, const TextOptions& options) {
  Printer printer(options);
  printer.print(branch_of(description.root, description.totals.images, true));
  if (description.totals.images > 0) printer.line({}, {{summary(description.totals)}});
  return printer.take();
}

}  // namespace lade::image
