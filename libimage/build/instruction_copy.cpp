// COPY and ADD: files of the context, another tree, http or git as a layer, straight from where
// they are.
#include <algorithm>
#include <iterator>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/build/copy_inputs.h"
#include "libimage/build/copy_target.h"
#include "libimage/build/git_url.h"
#include "libimage/build/instructions.h"
#include "libimage/build/root_tree.h"
#include "libimage/build/source_text.h"
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
  bool link = false;
  InputRules inputs = {};  // the checksum not expanded
};

/// What the line says in its stage.
struct CopyWords {
  struct Text {
    std::string name, text;
  };
  std::vector<std::string> sources = {};  // of the tree
  std::vector<std::string> urls = {};
  std::vector<Text> texts = {};
  CopyDestination destination = {};
  std::string chown = {};
  std::string chmod = {};
  InputRules inputs = {};
  std::string created_by = {};
};

bool is_http_url(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://");
}
bool is_url(std::string_view source) { return is_http_url(source) || is_git_url(source); }

void check_source(std::string_view keyword, std::string_view source) {
  if (keyword == "COPY" && is_url(source))
    throw Error(Errc::invalid_content, cat("COPY takes no URL: ", quoted(source)));
}

/// The sources of one step, and the trees that they are in.
class Inputs {
 public:
  Inputs(StageContext& stage, const CopyText& text, const CopyWords& words) {
    if (!words.sources.empty()) {
      SourceTree* tree = nullptr;
      if (text.from.empty()) {
        tree = &stage.run().context();
      } else if (const auto named = stage.run().contexts().named(text.from, stage.platform())) {
        tree = &named->files;
      } else {
        other_ = std::make_unique<RootTree>(stage.tree_of(text.from), text.from);
        tree = other_.get();
      }
      inputs_.push_back(tree_input(stage, *tree, words.sources, words.inputs));
    }
    for (const std::string& url : words.urls) {
      inputs_.push_back(is_git_url(url) ? git_input(stage, url, words.inputs)
                                        : http_input(stage, url, words.inputs));
    }
  }

  void add_to(StepKey& key) {
    for (const auto& input : inputs_) input->add_to(key);
  }
  [[nodiscard]] bool read_content() const {
    return std::any_of(inputs_.begin(), inputs_.end(),
                       [](const auto& input) { return input->reads_content(); });
  }
  std::vector<const FoundSource*> open() {
    std::vector<const FoundSource*> out;
    for (const auto& input : inputs_) {
      for (const FoundSource& source : input->open()) out.push_back(&source);
    }
    return out;
  }
  void remember(const ContentRef& content, const Sha256& sha) {
    for (const auto& input : inputs_) input->remember(content, sha);
  }
  [[nodiscard]] bool empty() const noexcept { return inputs_.empty(); }

 private:
  std::unique_ptr<RootTree> other_;
  std::vector<std::unique_ptr<CopyInput>> inputs_;
};

class Copy final : public Instruction {
 public:
  Copy(LogicalLine line, CopyText text) : Instruction(std::move(line)), text_(std::move(text)) {}

  [[nodiscard]] std::vector<std::string> from() const override {
    if (text_.from.empty()) return {};
    return {text_.from};
  }
  [[nodiscard]] bool is_extended() const override { return text_.inputs.optional_sources; }

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
    out.chmod = expander.word(text_.chmod);
    if (!out.chmod.empty()) (void)FileMode::parse(out.chmod);
    out.inputs = text_.inputs;
    out.inputs.checksum = expander.word(text_.inputs.checksum);
    out.created_by = text_.keyword;
    if (!out.chown.empty()) out.created_by += cat(" --chown=", out.chown);
    if (!out.chmod.empty()) out.created_by += cat(" --chmod=", out.chmod);
    if (text_.link) out.created_by += " --link";
    if (text_.inputs.parents) out.created_by += " --parents";
    for (const std::string& source : text_.sources) {
      std::string word = expander.word(source);
      check_source(text_.keyword, word);
      // The history is for everybody.
      out.created_by += cat(" ", is_url(word) ? hide_credentials(word) : word);
      (is_url(word) ? out.urls : out.sources).push_back(std::move(word));
    }
    if (!out.inputs.checksum.empty() && (out.urls.size() != 1 || !out.sources.empty()))
      throw Error(Errc::invalid_content, "--checksum is for exactly one URL");
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
    // What --link makes does not depend on what is below.
    key.add(kind).add(text_.link ? "link" : stage.chain()).add(stage.run().layer_key());
    key.add(words.destination.path).add(words.destination.is_directory ? "directory" : "any");
    key.add(words.chown).add(words.chmod).add(cat(static_cast<int>(words.inputs.unpack)));
    key.add_all(words.sources).add_all(words.urls).add_all(words.inputs.exclude);
    key.add(words.inputs.parents ? "parents" : "").add(words.inputs.checksum);
    for (const CopyWords::Text& text : words.texts) key.add(text.name).add(text.text);
    return key;
  }

  /// True if the result came from the cache. Three keys lead to it: for --from, the other tree's
  /// chain ID; then the content of the sources, but only if a step of this definition was ever
  /// stored: otherwise there can be no hit, and the files are read once, for the layer.
  bool execute(StageContext& stage, const CopyWords& words) const {
    const std::string seen = definition(stage, words, "seen").str();
    const bool other_tree =
        !text_.from.empty() && !stage.run().contexts().named(text_.from, stage.platform());
    std::optional<std::string> by_chain;
    if (other_tree) {
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
    Inputs inputs(stage, text_, words);
    StepAliases aliases{.marks = {seen}};
    if (by_chain) aliases.keys.push_back(*by_chain);
    stage.describe([&] {  // for what comes from the cache: what is executed has its own below
      StepKey key("inputs");
      stage.note_common(key.keep_inputs());
      key.note("words", words.created_by);
      inputs.add_to(key);
      return key.take_inputs();
    });
    std::optional<std::string> content_key;
    const auto commit_by_content = [&] {
      if (!content_key && (!inputs.read_content() || stage.is_marked(seen))) {
        StepKey key = definition(stage, words, "by content");
        inputs.add_to(key);
        content_key = key.str();
      }
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
    const std::optional<LayerResult> layer = write(stage, words, inputs);
    inputs.add_to(key);
    const std::string full = key.str();
    stage.describe([known = key.take_inputs()] { return known; });
    stage.commit_layer(words.created_by, full, layer, std::move(aliases));
    return false;
  }

  /// What a copy from a context is claimed under before its files are read: the same words in
  /// another context are another step.
  std::string claim_key(StageContext& stage, const std::string& seen) const {
    const BuildOptions& options = stage.run().options();
    StepKey key("COPY from");
    key.add(seen).add(real_path(options.context).value_or(options.context)).add(text_.from);
    for (const auto& [name, context] : options.contexts) key.add(name).add(context);
    return key.str();
  }

  std::optional<LayerResult> write(StageContext& stage, const CopyWords& words,
                                   Inputs& inputs) const {
    const std::vector<const FoundSource*> sources = inputs.open();
    CopyRules rules;
    if (!words.chmod.empty()) rules.mode = FileMode::parse(words.chmod);
    RootFs nothing(stage.run().services().store);
    RootFs& below = text_.link ? nothing : stage.root();
    if (!words.chown.empty()) rules.owner = resolve_owner(below, words.chown);
    CopyTarget target(below, rules);
    const Timestamp no_time = stage.run().epoch().value_or(Timestamp{});
    target.set_parent_mtime(sources.empty() ? no_time : sources.front()->source.attributes.mtime);
    std::vector<UnpackedArchive> archives;  // they live until the layer is written
    for (const FoundSource* found : sources) {
      const CopySource& source = found->source;
      if (found->may_be_archive && source.attributes.type == FileType::regular) {
        const ContentRef file = found->tree->content(source.path);
        auto archive =
            unpack_if_archive(stage.run().services().store, file, rules.owner, archives.size());
        if (archive) {
          target.merge(archive->snapshot, archive->content, words.destination);
          if (archive->digest) inputs.remember(file, *archive->digest);
          archives.push_back(std::move(*archive));
          continue;
        }
      }
      target.copy(*found->tree, source, words.destination);
    }
    for (const CopyWords::Text& text : words.texts)
      target.write(text.name, text.text, no_time, words.destination);
    std::vector<LayerEntry> entries = target.take();
    if (entries.empty()) return std::nullopt;
    LayerOptions options = stage.run().layer_options();
    options.readers = std::max(2U, stage.run().jobs());
    if (archives.size() < sources.size()) {
      options.on_content = [&inputs](const LayerEntry& entry, const Digest& digest) {
        inputs.remember(entry.content, raw_sha256(digest));
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

/// What COPY and ADD have in common.
void set_flags(CopyText& text, const FlagSet& flags) {
  text.chown = flags.value("chown");
  text.chmod = flags.value("chmod");
  text.link = flags.boolean("link", false);
  text.inputs.exclude = flags.values("exclude");
  (void)IgnoreList::of(text.inputs.exclude);
  text.inputs.optional_sources = flags.boolean("lade-optional", false);
  if (text.chmod.find('$') == std::string::npos && !text.chmod.empty())
    (void)FileMode::parse(text.chmod);  // known before the first step runs
}

}  // namespace

std::unique_ptr<Instruction> parse_copy(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  std::vector<Flag> given = take_flags(arguments, input.escape);
  const FlagSet flags("COPY", std::move(given),
                      {{"from"},
                       {"chown"},
                       {"chmod"},
                       {"link", FlagRule::Kind::boolean},
                       {"parents", FlagRule::Kind::boolean},
                       {"exclude", FlagRule::Kind::list},
                       {"lade-optional", FlagRule::Kind::boolean}});
  CopyText text = parse_words(input, arguments);
  text.from = flags.value("from");
  if (text.from.find('$') != std::string::npos)
    throw Error(Errc::invalid_content,
                "COPY --from does not expand variables: name a stage with FROM IMAGE AS NAME");
  if (!text.from.empty() && !text.heredocs.empty())
    throw Error(Errc::invalid_content, "COPY --from cannot take a heredoc");
  text.inputs.parents = flags.boolean("parents", false);
  set_flags(text, flags);
  return std::make_unique<Copy>(input.line, std::move(text));
}

std::unique_ptr<Instruction> parse_add(const ParseInput& input) {
  std::string arguments = input.line.arguments;
  std::vector<Flag> given = take_flags(arguments, input.escape);
  const FlagSet flags("ADD", std::move(given),
                      {{"chown"},
                       {"chmod"},
                       {"unpack", FlagRule::Kind::boolean},
                       {"link", FlagRule::Kind::boolean},
                       {"exclude", FlagRule::Kind::list},
                       {"checksum"},
                       {"keep-git-dir", FlagRule::Kind::boolean},
                       {"lade-optional", FlagRule::Kind::boolean}});
  CopyText text = parse_words(input, arguments);
  set_flags(text, flags);
  text.inputs.checksum = flags.value("checksum");
  text.inputs.unpack = UnpackMode::local;
  if (flags.given("unpack"))
    text.inputs.unpack = flags.boolean("unpack", true) ? UnpackMode::always : UnpackMode::never;
  if (flags.given("keep-git-dir")) text.inputs.keep_git_dir = flags.boolean("keep-git-dir", true);
  return std::make_unique<Copy>(input.line, std::move(text));
}

}  // namespace lade::build
