// COPY and ADD: files of the context or of another stage as a layer, straight from where they are.
#include <algorithm>
#include <iterator>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/copy_source.h"
#include "libimage/build/copy_target.h"
#include "libimage/build/instructions.h"
#include "libimage/build/root_tree.h"
#include "libimage/build/stage.h"
#include "libimage/build/step_key.h"
#include "libimage/build/unpack.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

/// What the line says, as parsed.
struct CopyText {
  std::string keyword;
  std::vector<std::string> sources = {};  // not expanded
  std::vector<Heredoc> heredocs = {};     // sources that are in the Containerfile
  std::string destination = {};           // not expanded
  std::string from = {};
  std::string chown = {};
  std::string chmod = {};
  bool unpack = false;
};

/// What the line says in its stage.
struct CopyWords {
  struct Text {
    std::string name, text;
  };
  std::vector<std::string> sources = {};
  std::vector<Text> texts = {};
  CopyDestination destination = {};
  std::string chown = {};
  std::optional<std::uint32_t> mode = {};
  std::string created_by = {};
};

bool is_url(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://") ||
         source.starts_with("git://") || source.starts_with("ssh://") || source.starts_with("git@");
}

void check_source(std::string_view keyword, std::string_view source) {
  if (!is_url(source)) return;
  if (keyword == "COPY")
    throw Error(Errc::invalid_content, cat("COPY takes no URL: ", quoted(source)));
  throw Error(Errc::unsupported,
              cat("ADD of a URL or git repository is not implemented: ", quoted(source)));
}

std::optional<std::uint32_t> parse_mode(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::uint32_t mode = 0;
  const bool octal = text.size() <= 5 && text.find_first_not_of("01234567") == std::string::npos;
  for (const char c : text) mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
  if (!octal || mode > 07777) {
    const bool symbolic = text.find_first_of("ugoa+=-") != std::string::npos;
    if (symbolic)
      throw Error(Errc::unsupported, cat("--chmod=", text, ": symbolic modes are not implemented"));
    throw Error(Errc::invalid_content, cat("--chmod ", quoted(text), " is not an octal mode"));
  }
  return mode;
}

class Copy final : public Instruction {
 public:
  Copy(LogicalLine line, CopyText text) : Instruction(std::move(line)), text_(std::move(text)) {}

  [[nodiscard]] std::vector<std::string> from() const override {
    if (text_.from.empty()) return {};
    return {text_.from};
  }

  void execute(StageContext& stage) const override {
    const CopyWords words = expanded(stage);
    const bool cached = execute(stage, words);
    stage.run().count_step(cached);
  }

 private:
  CopyWords expanded(StageContext& stage) const {
    const Expander expander = stage.expander();
    CopyWords out;
    out.chown = expander.word(text_.chown);
    const std::string chmod = expander.word(text_.chmod);
    out.mode = parse_mode(chmod);
    out.created_by = text_.keyword;
    if (!out.chown.empty()) out.created_by += cat(" --chown=", out.chown);
    if (!chmod.empty()) out.created_by += cat(" --chmod=", chmod);
    for (const std::string& source : text_.sources) {
      out.sources.push_back(expander.word(source));
      check_source(text_.keyword, out.sources.back());
      out.created_by += cat(" ", out.sources.back());
    }
    for (const Heredoc& heredoc : text_.heredocs) {
      std::string body = heredoc.body();
      if (heredoc.expand) body = expander.heredoc(body);
      out.texts.push_back({.name = heredoc.file_name(), .text = std::move(body)});
      out.created_by += cat(" <<", heredoc.name);
    }
    const std::string destination = expander.word(text_.destination);
    out.destination.path = clean_path(stage.absolute(destination));
    out.destination.is_directory = destination.empty() || destination == "." ||
                                   destination.ends_with('/') || destination.ends_with("/.");
    if (out.texts.size() > 1 && !out.destination.is_directory)
      throw Error(Errc::invalid_content,
                  "with several heredocs the destination is a directory and ends with /");
    out.created_by += cat(" ", destination);
    return out;
  }

  /// The key without the content of the sources.
  StepKey definition(StageContext& stage, const CopyWords& words, std::string_view kind) const {
    StepKey key(text_.keyword);
    key.add(kind).add(stage.chain()).add(stage.run().layer_key());
    key.add(words.destination.path).add(words.destination.is_directory ? "directory" : "any");
    key.add(words.chown).add(words.mode ? cat(*words.mode) : "").add(text_.unpack ? "unpack" : "");
    key.add_all(words.sources);
    for (const CopyWords::Text& text : words.texts) key.add(text.name).add(text.text);
    return key;
  }

  /// True if the result came from the cache. Three keys lead to it: for --from, the other tree's
  /// chain ID; then the content of the sources, but only if a step of this definition was ever
  /// stored: otherwise there can be no hit, and the files are read once, for the layer.
  bool execute(StageContext& stage, const CopyWords& words) const {
    const std::string seen = definition(stage, words, "seen").str();
    std::optional<std::string> by_chain;
    if (!text_.from.empty()) {
      const auto chain = stage.tree_of(text_.from).chain();
      by_chain = definition(stage, words, "by chain")
                     .add(chain ? chain->value.str() : std::string("scratch"))
                     .str();
      stage.record_as(*by_chain);
      const StepAliases marks{.marks = {seen}};
      if (stage.commit_known(words.created_by, *by_chain, marks)) return true;
      stage.claim(*by_chain);
      if (stage.commit_known(words.created_by, *by_chain, marks)) return true;  // ended just now
    }
    std::unique_ptr<RootTree> other;
    if (!text_.from.empty())
      other = std::make_unique<RootTree>(stage.tree_of(text_.from), text_.from);
    SourceTree* tree = other.get();
    if (tree == nullptr && !words.sources.empty()) tree = &stage.run().context();
    std::vector<CopySource> sources;
    for (const std::string& pattern : words.sources) {
      std::vector<CopySource> found = match_sources(*tree, pattern);
      std::move(found.begin(), found.end(), std::back_inserter(sources));
    }
    const auto by_content = [&] {
      StepKey key = definition(stage, words, "by content");
      if (tree != nullptr) add_sources(key, *tree, sources, stage.run().jobs(), stage.stop());
      return key.str();
    };
    StepAliases aliases{.marks = {seen}};
    if (by_chain) aliases.keys.push_back(*by_chain);
    stage.describe([&] {  // for what comes from the cache: what is executed has its own below
      StepKey key("inputs");
      stage.note_common(key.keep_inputs());
      key.note("words", words.created_by);
      if (tree != nullptr) add_sources(key, *tree, sources, stage.run().jobs(), stage.stop());
      return key.take_inputs();
    });
    std::optional<std::string> content_key;
    const auto commit_by_content = [&] {
      if (!content_key && (tree == nullptr || stage.is_marked(seen))) content_key = by_content();
      return content_key && stage.commit_known(words.created_by, *content_key, aliases);
    };
    if (commit_by_content()) return true;
    if (!by_chain) {
      stage.claim(claim_key(stage, seen));
      if (commit_by_content()) return true;  // whoever had it may have ended just now
    }
    // The key names the tree before the step, so its definition is fixed before the layer is added.
    StepKey key = definition(stage, words, "by content");
    stage.note_common(key.keep_inputs());
    key.note("words", words.created_by);
    const std::optional<LayerResult> layer = write(stage, words, tree, sources);
    if (tree != nullptr) add_sources(key, *tree, sources, stage.run().jobs(), stage.stop());
    const std::string full = key.str();
    stage.describe([inputs = key.take_inputs()] { return inputs; });
    stage.commit_layer(words.created_by, full, layer, std::move(aliases));
    return false;
  }

  /// What a copy from the context is claimed under before its files are read: the same words in
  /// another context are another step.
  static std::string claim_key(StageContext& stage, const std::string& seen) {
    const std::string& context = stage.run().options().context;
    return StepKey("COPY from").add(seen).add(real_path(context).value_or(context)).str();
  }

  std::optional<LayerResult> write(StageContext& stage, const CopyWords& words, SourceTree* tree,
                                   const std::vector<CopySource>& sources) const {
    CopyRules rules{.mode = words.mode};
    if (!words.chown.empty()) rules.owner = resolve_owner(stage.root(), words.chown);
    CopyTarget target(stage.root(), rules);
    const Timestamp no_time = stage.run().epoch().value_or(Timestamp{});
    target.set_parent_mtime(sources.empty() ? no_time : sources.front().attributes.mtime);
    std::vector<UnpackedArchive> archives;  // they live until the layer is written
    for (const CopySource& source : sources) {
      if (text_.unpack && source.attributes.type == FileType::regular) {
        auto archive = unpack_if_archive(stage.run().services().store, tree->content(source.path),
                                         rules.owner);
        if (archive) {
          target.merge(archive->snapshot, archive->root, words.destination);
          archives.push_back(std::move(*archive));
          continue;
        }
      }
      target.copy(*tree, source, words.destination);
    }
    for (const CopyWords::Text& text : words.texts)
      target.write(text.name, text.text, no_time, words.destination);
    std::vector<LayerEntry> entries = target.take();
    if (entries.empty()) return std::nullopt;
    LayerOptions options = stage.run().layer_options();
    options.readers = std::max(2U, stage.run().jobs());
    if (tree != nullptr) {
      options.on_content = [tree](const LayerEntry& entry, const Digest& digest) {
        tree->remember(entry.content, raw_sha256(digest));
      };
    }
    return stage.root().add(std::move(entries), options);
  }

  CopyText text_;
};

CopyText parse_words(const ParseInput& input, std::string arguments) {
  CopyText out{.keyword = input.line.keyword};
  auto words = json_strings(arguments);
  const bool list = words.has_value();
  if (!list) words = plain_words(arguments);
  if (words->size() < 2)
    throw Error(Errc::invalid_content,
                cat(input.line.keyword, " needs at least a source and a destination"));
  out.destination = std::move(words->back());
  words->pop_back();
  if (!list && heredoc_of_word(out.destination))
    throw Error(Errc::invalid_content, "a destination cannot be a heredoc");
  std::size_t heredocs = 0;
  for (std::string& word : *words) {
    if (!list && heredoc_of_word(word)) {
      if (heredocs == input.line.heredocs.size())
        throw Error(Errc::invalid_content, cat("heredoc ", quoted(word), " has no content"));
      out.heredocs.push_back(input.line.heredocs[heredocs++]);
      (void)out.heredocs.back().file_name();
    } else {
      check_source(input.line.keyword, word);
      out.sources.push_back(std::move(word));
    }
  }
  return out;
}

}  // namespace

std::unique_ptr<Instruction> parse_copy(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  std::vector<Flag> given = take_flags(arguments, input.escape);
  const FlagSet flags("COPY", std::move(given),
                      {{"from"},
                       {"chown"},
                       {"chmod"},
                       {"link", FlagRule::Kind::unsupported},
                       {"parents", FlagRule::Kind::unsupported},
                       {"exclude", FlagRule::Kind::unsupported}});
  CopyText text = parse_words(input, arguments);
  text.from = flags.value("from");
  if (text.from.find('$') != std::string::npos)
    throw Error(Errc::invalid_content,
                "COPY --from does not expand variables: name a stage with FROM IMAGE AS NAME");
  if (!text.from.empty() && !text.heredocs.empty())
    throw Error(Errc::invalid_content, "COPY --from cannot take a heredoc");
  text.chown = flags.value("chown");
  text.chmod = flags.value("chmod");
  return std::make_unique<Copy>(input.line, std::move(text));
}

std::unique_ptr<Instruction> parse_add(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  std::vector<Flag> given = take_flags(arguments, input.escape);
  const FlagSet flags("ADD", std::move(given),
                      {{"chown"},
                       {"chmod"},
                       {"unpack", FlagRule::Kind::boolean},
                       {"link", FlagRule::Kind::unsupported},
                       {"exclude", FlagRule::Kind::unsupported},
                       {"checksum", FlagRule::Kind::unsupported},
                       {"keep-git-dir", FlagRule::Kind::unsupported}});
  CopyText text = parse_words(input, arguments);
  text.chown = flags.value("chown");
  text.chmod = flags.value("chmod");
  text.unpack = flags.boolean("unpack", true);
  return std::make_unique<Copy>(input.line, std::move(text));
}

}  // namespace lade::build
