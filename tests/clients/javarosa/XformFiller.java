import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.javarosa.core.model.Constants;
import org.javarosa.core.model.FormDef;
import org.javarosa.core.model.FormIndex;
import org.javarosa.core.model.GroupDef;
import org.javarosa.core.model.SelectChoice;
import org.javarosa.core.model.SubmissionProfile;
import org.javarosa.core.model.ValidateOutcome;
import org.javarosa.core.model.actions.recordaudio.RecordAudioActionHandler;
import org.javarosa.core.model.actions.setgeopoint.SetGeopointAction;
import org.javarosa.core.model.actions.setgeopoint.SetGeopointActionHandler;
import org.javarosa.core.model.condition.EvaluationContext;
import org.javarosa.core.model.condition.IFunctionHandler;
import org.javarosa.core.model.data.IAnswerData;
import org.javarosa.core.model.data.MultipleItemsData;
import org.javarosa.core.model.data.SelectMultiData;
import org.javarosa.core.model.data.SelectOneData;
import org.javarosa.core.model.data.StringData;
import org.javarosa.core.model.data.helper.Selection;
import org.javarosa.core.model.instance.InstanceInitializationFactory;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.model.instance.TreeReference;
import org.javarosa.core.reference.Reference;
import org.javarosa.core.reference.ReferenceFactory;
import org.javarosa.core.reference.ReferenceManager;
import org.javarosa.core.services.IPropertyManager;
import org.javarosa.core.services.PropertyManager;
import org.javarosa.core.services.PrototypeManager;
import org.javarosa.core.services.properties.IPropertyRules;
import org.javarosa.core.services.transport.payload.ByteArrayPayload;
import org.javarosa.core.util.PropertyUtils;
import org.javarosa.form.api.FormEntryController;
import org.javarosa.form.api.FormEntryModel;
import org.javarosa.form.api.FormEntryPrompt;
import org.javarosa.model.xform.XFormSerializingVisitor;
import org.javarosa.model.xform.XFormsModule;
import org.javarosa.model.xform.XPathReference;
import org.javarosa.xform.parse.XFormParser;
import org.javarosa.xform.util.XFormAnswerDataParser;
import org.javarosa.xform.util.XFormUtils;
import org.javarosa.xpath.expr.XPathFuncExpr;

/**
 * Fills XForms with JavaRosa, the engine inside ODK Collect: walks the questions one by one like a person who swipes,
 * answers them from a plan, validates, finalizes, and writes the submission XML.
 *
 * <p>One job a line on stdin, one answer a line on stdout, both JSON; the jobs and answers are described in
 * javarosa.py, which is the way to use this class.
 */
public class XformFiller {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** JavaRosa looks media, properties and position up through static registries; these hold the current job's. */
    private static Path media;
    private static JsonNode properties;
    private static String location;

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // JavaRosa prints; stdout belongs to the answers
        register();
        BufferedReader jobs = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = jobs.readLine()) != null; ) {
            ObjectNode answer;
            try {
                answer = new XformFiller(JSON.readTree(line)).run();
            } catch (Exception | StackOverflowError e) {
                e.printStackTrace();
                answer = JSON.createObjectNode().put("error", e.toString());
            }
            answers.println(answer);
        }
    }

    private static void register() {
        PropertyManager.setPropertyManager(new JobProperties());
        ReferenceManager.instance().addReferenceFactory(new MediaReferences());
        new XFormsModule().registerModule();
        PrototypeManager.registerPrototype(FixedPosition.class.getName());
        XFormParser.registerActionHandler(SetGeopointActionHandler.ELEMENT_NAME, new SetGeopointActionHandler() {
            @Override public SetGeopointAction getSetGeopointAction() { return new FixedPosition(null); }
        });
        XFormParser.registerActionHandler(RecordAudioActionHandler.ELEMENT_NAME, new RecordAudioActionHandler());
    }

    private final JsonNode job;
    private final JsonNode plan;
    private final Map<String, String> wanted = new LinkedHashMap<>();
    private final Map<String, Integer> repeats = new HashMap<>();
    private final Set<String> inspect = new LinkedHashSet<>();
    private final Set<String> asked = new LinkedHashSet<>();
    private final Set<String> answered = new LinkedHashSet<>();
    private final Set<String> notes = new LinkedHashSet<>();
    private final ObjectNode messages = JSON.createObjectNode();
    private final ObjectNode inspected = JSON.createObjectNode();
    private FormDef form;
    private FormEntryModel model;
    private FormEntryController controller;

    private XformFiller(JsonNode job) {
        this.job = job;
        plan = job.path("plan");
        media = Path.of(job.get("media").asText());
        properties = plan.path("properties");
        location = plan.path("location").asText(null);
    }

    private ObjectNode run() throws Exception {
        open();
        readPlan();
        walk();
        for (String path : wanted.keySet()) if (!answered.contains(path)) notes.add("NOT REACHED " + shown(path));
        ValidateOutcome outcome = form.validate();
        nameAuditFile();
        controller.finalizeFormEntry();
        SubmissionProfile profile = form.getSubmissionProfile();
        XPathReference whole = new XPathReference("/");
        ByteArrayPayload payload = (ByteArrayPayload) new XFormSerializingVisitor().createSerializedPayload(
            form.getInstance(), profile == null || profile.getRef() == null ? whole : profile.getRef());
        try (InputStream in = payload.getPayloadStream()) { Files.write(Path.of(job.get("out").asText()), in.readAllBytes()); }
        ObjectNode answer = JSON.createObjectNode();
        answer.put("validation", outcome == null ? "ok" : verdict(outcome));
        answer.set("notes", list(notes));
        answer.set("asked", list(asked));
        answer.set("messages", messages);
        answer.set("inspected", inspected);
        return answer;
    }

    private static String verdict(ValidateOutcome outcome) {
        boolean empty = outcome.outcome == FormEntryController.ANSWER_REQUIRED_BUT_EMPTY;
        return (empty ? "required " : "constraint ") + shown(key(outcome.failedPrompt.getReference()));
    }

    private void open() throws Exception {
        Path lastSaved = media.resolve("last-saved.xml");
        try (InputStream in = Files.newInputStream(Path.of(job.get("form").asText()))) {
            form = XFormUtils.getFormFromInputStream(in, Files.exists(lastSaved) ? "jr://file/last-saved.xml" : null);
        }
        model = new FormEntryModel(form);
        controller = new FormEntryController(model);
        controller.addFunctionHandler(new PullData());
        boolean edit = job.path("edit").isTextual();
        if (edit) restore(Path.of(job.get("edit").asText()));
        form.initialize(!edit, new InstanceInitializationFactory());
        if (plan.path("language").isTextual()) controller.setLanguage(plan.get("language").asText());
    }

    /** An edit of a sent record: its answers come back, its instanceID becomes the deprecatedID. */
    private void restore(Path submission) throws IOException {
        TreeElement saved = XFormParser.restoreDataModel(Files.readAllBytes(submission), null).getRoot();
        TreeElement root = form.getInstance().getRoot().deepCopy(true);
        saved.setMult(0);
        root.populate(saved, form);
        form.getInstance().setRoot(root);
        controller.addPostProcessor(m -> {
            TreeElement meta = m.getForm().getMainInstance().getRoot().getFirstChild("meta");
            TreeElement id = meta.getFirstChild("instanceID");
            TreeElement deprecated = meta.getFirstChild("deprecatedID");
            if (deprecated == null) meta.addChild(deprecated = new TreeElement("deprecatedID"));
            deprecated.setAnswer(id.getValue());
            id.setAnswer(new StringData("uuid:" + PropertyUtils.genUUID()));
        });
    }

    /** Paths become keys with every multiplicity written out; an index in an answer's path implies that many repeats. */
    private void readPlan() {
        plan.path("answers").fields().forEachRemaining(e -> wanted.put(key(e.getKey()), e.getValue().asText()));
        plan.path("inspect").forEach(p -> inspect.add(key(p.asText())));
        for (String key : wanted.keySet()) {
            for (int at = key.indexOf(']'); at > 0; at = key.indexOf(']', at + 1)) {
                String head = key.substring(0, at);
                repeats.merge(base(head), Integer.parseInt(head.substring(head.lastIndexOf('[') + 1)), Math::max);
            }
        }
        plan.path("repeats").fields().forEachRemaining(e -> repeats.put(base(key(e.getKey())), e.getValue().asInt()));
    }

    private void walk() {
        int steps = 0;
        controller.jumpToIndex(FormIndex.createBeginningOfFormIndex());
        for (int event = controller.stepToNextEvent(); event != FormEntryController.EVENT_END_OF_FORM;
             event = controller.stepToNextEvent()) {
            if (++steps > 500_000) throw new IllegalStateException("the walk does not end");
            FormIndex index = model.getFormIndex();
            if (event == FormEntryController.EVENT_QUESTION) {
                question(index, key(index.getReference()));
            } else if (event == FormEntryController.EVENT_PROMPT_NEW_REPEAT) {
                int have = index.getReference().getMultLast();
                if (have < repeats.getOrDefault(base(key(index.getReference())), 0)) controller.newRepeat();
            } else if (event == FormEntryController.EVENT_REPEAT) {
                Integer count = repeats.get(base(key(index.getReference())));
                if (count != null && index.getReference().getMultLast() >= count && !fixed(index)) {
                    asked.clear();
                    controller.deleteRepeat();
                    controller.jumpToIndex(FormIndex.createBeginningOfFormIndex());
                }
            }
        }
    }

    /** The form itself decides how many instances a repeat with jr:count has. */
    private boolean fixed(FormIndex index) {
        return ((GroupDef) form.getChild(index)).getCountReference() != null;
    }

    private void question(FormIndex index, String key) {
        FormEntryPrompt prompt = model.getQuestionPrompt();
        asked.add(shown(key));
        if (inspect.contains(key)) inspected.set(shown(key), describe(prompt));
        if (!wanted.containsKey(key)) return;
        answered.add(key);
        IAnswerData data;
        try {
            data = data(prompt, wanted.get(key));
        } catch (NotOffered e) {
            notes.add("NOT OFFERED " + shown(key) + " " + e.getMessage());
            return;
        }
        int result = controller.answerQuestion(index, data, true);
        if (result == FormEntryController.ANSWER_REQUIRED_BUT_EMPTY) notes.add("REQUIRED_BUT_EMPTY " + shown(key));
        if (result == FormEntryController.ANSWER_CONSTRAINT_VIOLATED) {
            notes.add("CONSTRAINT_VIOLATED " + shown(key));
            messages.put(shown(key), prompt.getConstraintText(data));
        }
    }

    private static ObjectNode describe(FormEntryPrompt prompt) {
        ObjectNode question = JSON.createObjectNode();
        question.put("label", prompt.getQuestionText());
        question.put("hint", prompt.getHelpText());
        question.put("required", prompt.isRequired());
        question.put("readonly", prompt.isReadOnly());
        question.put("value", prompt.getAnswerValue() == null ? "" : prompt.getAnswerValue().uncast().getString());
        if (prompt.getSelectChoices() != null) {
            ObjectNode choices = question.putObject("choices");
            for (SelectChoice c : prompt.getSelectChoices()) choices.put(c.getValue(), prompt.getSelectChoiceText(c));
        }
        return question;
    }

    private static IAnswerData data(FormEntryPrompt prompt, String value) throws NotOffered {
        if (value.isEmpty()) return null;
        int control = prompt.getControlType();
        if (control == Constants.CONTROL_SELECT_ONE) return new SelectOneData(selection(prompt, value));
        if (control == Constants.CONTROL_SELECT_MULTI || control == Constants.CONTROL_RANK) {
            List<Selection> selections = new ArrayList<>();
            for (String one : value.trim().split("\\s+")) selections.add(selection(prompt, one));
            return control == Constants.CONTROL_RANK ? new MultipleItemsData(selections) : new SelectMultiData(selections);
        }
        return XFormAnswerDataParser.getAnswerData(value, prompt.getDataType(), prompt.getQuestion());
    }

    private static Selection selection(FormEntryPrompt prompt, String value) throws NotOffered {
        for (SelectChoice c : prompt.getSelectChoices()) if (c.getValue().equals(value)) return c.selection();
        throw new NotOffered(value);
    }

    /** Collect names the audit file when it reads the submission's metadata. */
    private void nameAuditFile() {
        TreeElement meta = form.getMainInstance().getRoot().getFirstChild("meta");
        TreeElement audit = meta == null ? null : meta.getFirstChild("audit");
        if (audit != null) audit.setValue(new StringData("audit.csv"));
    }

    /** {@code /a/b[2]} (below the root element) to {@code /a[1]/b[2]}. */
    private static String key(String path) {
        StringBuilder b = new StringBuilder();
        for (String step : path.substring(1).split("/")) b.append('/').append(step).append(step.endsWith("]") ? "" : "[1]");
        return b.toString();
    }

    private static String key(TreeReference ref) {
        StringBuilder b = new StringBuilder();
        for (int i = 1; i < ref.size(); i++) {
            b.append('/').append(ref.getName(i)).append('[').append(Math.max(ref.getMultiplicity(i), 0) + 1).append(']');
        }
        return b.toString();
    }

    private static String base(String key) { return key.substring(0, key.lastIndexOf('[')); }

    private static String shown(String key) { return key.replace("[1]", ""); }

    private static ArrayNode list(Iterable<String> items) {
        ArrayNode array = JSON.createArrayNode();
        items.forEach(array::add);
        return array;
    }

    private static class NotOffered extends Exception {
        NotOffered(String value) { super(value); }
    }

    /** The position a phone would report, at once; public and constructible because JavaRosa clones actions. */
    public static class FixedPosition extends SetGeopointAction {
        public FixedPosition() { }
        FixedPosition(TreeReference target) { super(target); }
        @Override public void requestLocationUpdates() { if (location != null) saveLocationValue(location); }
    }

    private static class JobProperties implements IPropertyManager {
        @Override public List<String> getProperty(String name) {
            String value = getSingularProperty(name);
            return value == null ? null : List.of(value);
        }
        @Override public String getSingularProperty(String name) { return properties.path(name.toLowerCase(Locale.ROOT)).asText(null); }
        @Override public void setProperty(String name, String value) { }
        @Override public void setProperty(String name, List<String> value) { }
        @Override public void addRules(IPropertyRules rules) { }
        @Override public List<IPropertyRules> getRules() { return null; }
    }

    private static class MediaReferences implements ReferenceFactory {
        @Override public boolean derives(String uri) { return uri.startsWith("jr://"); }
        @Override public Reference derive(String uri) {
            return new MediaFile(uri, media.resolve(uri.substring(uri.lastIndexOf('/') + 1)));
        }
        @Override public Reference derive(String uri, String context) { return derive(uri); }
    }

    private static class MediaFile implements Reference {
        private final String uri;
        private final Path path;
        MediaFile(String uri, Path path) { this.uri = uri; this.path = path; }
        @Override public boolean doesBinaryExist() { return Files.exists(path); }
        @Override public InputStream getStream() throws IOException { return Files.newInputStream(path); }
        @Override public String getURI() { return uri; }
        @Override public String getLocalURI() { return path.toString(); }
        @Override public boolean isReadOnly() { return true; }
        @Override public OutputStream getOutputStream() { throw new UnsupportedOperationException(); }
        @Override public void remove() { throw new UnsupportedOperationException(); }
        @Override public Reference[] probeAlternativeReferences() { return new Reference[0]; }
    }

    /** Collect's own function: a cell of an attached CSV (plain commas, no quoting). */
    private static class PullData implements IFunctionHandler {
        @Override public String getName() { return "pulldata"; }
        @Override public List<Class[]> getPrototypes() { return new ArrayList<>(); }
        @Override public boolean rawArgs() { return true; }
        @Override public boolean realTime() { return false; }
        @Override public Object eval(Object[] args, EvaluationContext context) {
            String name = XPathFuncExpr.toString(args[0]);
            try (BufferedReader rows = Files.newBufferedReader(media.resolve(name.endsWith(".csv") ? name : name + ".csv"))) {
                List<String> header = Arrays.asList(rows.readLine().replace("\uFEFF", "").split(","));
                int want = header.indexOf(XPathFuncExpr.toString(args[1]));
                int by = header.indexOf(XPathFuncExpr.toString(args[2]));
                String value = XPathFuncExpr.toString(args[3]);
                for (String row; (row = rows.readLine()) != null; ) {
                    String[] cells = row.split(",", -1);
                    if (cells[by].equals(value)) return cells[want];
                }
            } catch (IOException e) {
                return "";
            }
            return "";
        }
    }
}
