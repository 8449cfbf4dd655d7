#include "libimage/config/yaml.h"

#include <algorithm>
#include <array>
#include <istream>
#include <map>
#include <set>
#include <streambuf>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

using Kind = YamlValue::Kind;

/// Reads memory that somebody else owns.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // a get area is never written to
    setg(begin, begin, begin + text.size());
  }
};

[[noreturn]] void fail(std::size_t line, std::string_view reason,
                       Errc code = Errc::invalid_content) {
  throw Error(code, cat("line ", line, ": ", reason));
}

/// True for tags that say nothing but "not plain".
bool is_quoted_tag(const std::string& tag) { return tag == "!"; }

bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

/// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add_leaf({.kind = Kind::null, .line = line_of(mark)}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(line_of(mark), "an alias stands for what contains it");
    count_nodes(found->second.nodes, mark);
    add(found->second.value, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    YamlValue value{
        .kind = Kind::scalar, .line = line_of(mark), .text = text, .is_quoted = is_quoted_tag(tag)};
    if (!value.is_quoted && is_null_word(text)) value.kind = Kind::null;
    add_leaf(std::move(value), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(Kind::sequence, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(Kind::mapping, mark, anchor);
  }
  void OnMapEnd() override {
    merge(open_.back().value, open_.back().merged);
    close();
  }

  [[nodiscard]] YamlValue take() { return std::move(root_); }

 private:
  /// A collection whose end is not reached.
  struct Open {
    YamlValue value = {};
    YAML::anchor_t anchor = 0;
    std::size_t nodes_before = 0;
    std::optional<std::string> key = {};  ///< of a mapping: read, its value is next
    std::set<std::string> keys = {};
    std::vector<YamlValue> merged = {};  ///< the values of "<<"
  };
  struct Anchored {
    YamlValue value;
    std::size_t nodes = 0;
  };

  static std::size_t line_of(const YAML::Mark& mark) {
    return static_cast<std::size_t>(std::max(mark.line, 0)) + 1;
  }

  void count_nodes(std::size_t more, const YAML::Mark& mark) {
    nodes_ += more;
    if (nodes_ > kMaxYamlNodes) {
      fail(line_of(mark), cat("more than ", kMaxYamlNodes, " values"), Errc::limit_exceeded);
    }
  }

  void add_leaf(YamlValue value, YAML::anchor_t anchor) {
    const YAML::Mark mark = mark_at(value.line);
    count_nodes(1, mark);
    if (anchor != 0) anchors_[anchor] = {value, 1};
    add(std::move(value), mark);
  }

  static YAML::Mark mark_at(std::size_t line) {
    YAML::Mark mark;
    mark.line = static_cast<int>(line) - 1;
    return mark;
  }

  void open(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() == kMaxYamlDepth) {
      fail(line_of(mark), cat("nested deeper than ", kMaxYamlDepth), Errc::limit_exceeded);
    }
    const std::size_t before = nodes_;
    count_nodes(1, mark);
    anchors_.erase(anchor);  // a name used again: what it stood for is over
    open_.push_back(
        {.value = {.kind = kind, .line = line_of(mark)}, .anchor = anchor, .nodes_before = before});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    const YAML::Mark mark = mark_at(done.value.line);
    if (done.anchor != 0) anchors_[done.anchor] = {done.value, nodes_ - done.nodes_before};
    add(std::move(done.value), mark);
  }

  void add(YamlValue value, const YAML::Mark& mark) {
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (parent.value.kind == Kind::sequence) {
      parent.value.items.push_back(std::move(value));
    } else if (!parent.key) {
      take_key(parent, value, mark);
    } else if (*parent.key == "<<") {
      parent.merged.push_back(std::move(value));
      parent.key.reset();
    } else {
      value.key = *std::exchange(parent.key, std::nullopt);
      parent.value.members.push_back(std::move(value));
    }
  }

  static void take_key(Open& parent, const YamlValue& key, const YAML::Mark& mark) {
    if (key.kind != Kind::scalar) fail(line_of(mark), "a key must be a text");
    if (!parent.keys.insert(key.text).second) {
      fail(line_of(mark), cat("the key ", quoted(key.text.substr(0, 100)), " occurs twice"));
    }
    parent.key = key.text;
  }

  /// The members of `from` that `into` lacks (yaml.org/type/merge).
  void merge(YamlValue& into, const std::vector<YamlValue>& from) {
    for (const YamlValue& value : from) {
      if (value.kind == Kind::sequence) {
        merge(into, value.items);
        continue;
      }
      if (value.kind != Kind::mapping) fail(value.line, "'<<' merges mappings only");
      std::set<std::string_view> present;
      for (const YamlValue& member : into.members) present.insert(member.key);
      std::vector<YamlValue> missing;
      for (const YamlValue& member : value.members) {
        if (!present.contains(member.key)) missing.push_back(member);
      }
      std::move(missing.begin(), missing.end(), std::back_inserter(into.members));
    }
  }

  YamlValue root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0;
};

bool is_one_of(std::string_view text, const std::array<std::string_view, 9>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace

const YamlValue* YamlValue::find(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const YamlValue& member) { return member.key == name; });
  return found == members.end() ? nullptr : &*found;
}

std::optional<bool> YamlValue::boolean() const {
  constexpr std::array<std::string_view, 9> kTrue = {"true", "True", "TRUE", "yes", "Yes",
                                                     "YES",  "on",   "On",   "ON"};
  constexpr std::array<std::string_view, 9> kFalse = {"false", "False", "FALSE", "no", "No",
                                                      "NO",    "off",   "Off",   "OFF"};
  if (kind != Kind::scalar || is_quoted) return std::nullopt;
  if (is_one_of(text, kTrue)) return true;
  if (is_one_of(text, kFalse)) return false;
  return std::nullopt;
}

YamlValue parse_yaml(std::string_view text) {
  if (text.size() > kMaxYamlBytes) {
    throw Error(Errc::limit_exceeded, cat("more than ", kMaxYamlBytes, " bytes"));
  }
  if (!is_utf8(text)) throw Error(Errc::invalid_content, "the text is not UTF-8");
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    TreeBuilder builder;
    if (!parser.HandleNextDocument(builder)) return {};
    YamlValue root = builder.take();
    TreeBuilder rest;
    if (parser.HandleNextDocument(rest)) {
      throw Error(Errc::invalid_content, "more than one document");
    }
    return root;
  } catch (const YAML::Exception& e) {
    fail(static_cast<std::size_t>(std::max(e.mark.line, 0)) + 1, printable(e.msg));
  }
}

}  // namespace lade
