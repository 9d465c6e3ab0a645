// What programs do with @kubernetes/client-node: informers, patches, exec, logs, errors, resources of their own.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import * as k8s from '@kubernetes/client-node';

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const namespace = 'default';

function step(text) {
  console.log(`--- ${text}`);
}

async function eventually(what, holds) {
  for (let tries = 0; tries < 150; ++tries) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.fail(`never held: ${what}`);
}

function pod(name, command) {
  return { metadata: { name }, spec: { containers: [{ name: 'main', image: 'busybox:test', command }] } };
}

step('an informer sees objects come, change and go');
const seen = [];
const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`,
  () => core.listNamespacedConfigMap({ namespace }));
for (const verb of ['add', 'update', 'delete']) {
  informer.on(verb, (object) => seen.push(`${verb} ${object.metadata.name}`));
}
informer.on('error', (error) => seen.push(`error ${error}`));
await informer.start();
await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'settings' }, data: { color: 'blue' } } });
await core.patchNamespacedConfigMap(
  { name: 'settings', namespace, body: [{ op: 'replace', path: '/data/color', value: 'red' }] },
  k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.JsonPatch));
await core.patchNamespacedConfigMap(
  { name: 'settings', namespace, body: { data: { size: 'large' } } },
  k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch));
const changed = await core.readNamespacedConfigMap({ name: 'settings', namespace });
assert.deepEqual(changed.data, { color: 'red', size: 'large' });
await core.deleteNamespacedConfigMap({ name: 'settings', namespace });
await eventually('the informer has seen all', () => seen.includes('delete settings'));
assert.deepEqual(seen.filter((line) => line.endsWith(' settings')),
  ['add settings', 'update settings', 'update settings', 'delete settings']);
await informer.stop();

step('errors say what they are');
await assert.rejects(core.readNamespacedConfigMap({ name: 'none', namespace }), (error) => error.code === 404);
await assert.rejects(
  apps.createNamespacedDeployment({ namespace, body: { metadata: { name: 'bad' }, spec: { selector: {}, template: {} } } }),
  (error) => error.code === 422 || error.code === 400);

step('server-side apply, twice');
const applied = {
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' },
  spec: {
    replicas: 1, selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'minik/demo:latest' }] },
    },
  },
};
const apply = () => apps.patchNamespacedDeployment(
  { name: 'web', namespace, body: applied, fieldManager: 'script' },
  k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.ServerSideApply));
await apply();
applied.spec.replicas = 2;
assert.equal((await apply()).spec.replicas, 2);
await eventually('both replicas are available', async () =>
  (await apps.readNamespacedDeploymentStatus({ name: 'web', namespace })).status.availableReplicas === 2);

step('exec with its exit code, and logs');
await core.createNamespacedPod({ namespace, body: pod('shell', ['sh', '-c', 'echo started; sleep 600']) });
await eventually('the pod runs', async () =>
  (await core.readNamespacedPod({ name: 'shell', namespace })).status.phase === 'Running');
let output = '';
const collector = new Writable({
  write(chunk, encoding, done) {
    output += chunk;
    done();
  },
});
const status = await new Promise((resolve, reject) => {
  new k8s.Exec(config).exec(namespace, 'shell', 'main', ['sh', '-c', 'echo inside; exit 3'], collector, null, null,
    false, resolve).catch(reject);
});
assert.equal(output, 'inside\n');
assert.equal(status.details.causes.find((cause) => cause.reason === 'ExitCode').message, '3');
assert.equal(await core.readNamespacedPodLog({ name: 'shell', namespace }), 'started\n');

step('a watch of its own');
const watched = [];
const request = await new k8s.Watch(config).watch(`/api/v1/namespaces/${namespace}/pods`, { labelSelector: 'app=watched' },
  (type, object) => watched.push(`${type} ${object.metadata.name}`), () => {});
await core.createNamespacedPod({
  namespace, body: { ...pod('watched', ['sleep', '600']), metadata: { name: 'watched', labels: { app: 'watched' } } },
});
await eventually('the watch tells', () => watched.includes('ADDED watched'));
request.abort();

step('tables of names, by the generic client');
const generic = k8s.KubernetesObjectApi.makeApiClient(config);
const list = await generic.list('v1', 'Pod', namespace);
assert.ok(list.items.some((item) => item.metadata.name === 'shell'));

step('a definition of its own kind: objects, an informer, patches');
const definitions = config.makeApiClient(k8s.ApiextensionsV1Api);
const custom = config.makeApiClient(k8s.CustomObjectsApi);
const boats = { group: 'sea.example.com', version: 'v1', namespace, plural: 'boats' };
await definitions.createCustomResourceDefinition({
  body: {
    metadata: { name: 'boats.sea.example.com' },
    spec: {
      group: boats.group, scope: 'Namespaced',
      names: { plural: 'boats', singular: 'boat', kind: 'Boat' },
      versions: [{
        name: 'v1', served: true, storage: true, subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { crew: { type: 'integer', minimum: 1, _default: 2 }, sails: { type: 'array', items: { type: 'string' } } } },
              status: { type: 'object', properties: { afloat: { type: 'boolean' } } },
            },
          },
        },
      }],
    },
  },
});
await eventually('the definition is established', async () =>
  (await definitions.readCustomResourceDefinitionStatus({ name: 'boats.sea.example.com' })).status.conditions
    .some((condition) => condition.type === 'Established' && condition.status === 'True'));
const told = [];
const harbour = k8s.makeInformer(config, `/apis/${boats.group}/v1/namespaces/${namespace}/boats`,
  () => custom.listNamespacedCustomObject(boats));
for (const verb of ['add', 'update', 'delete']) harbour.on(verb, (boat) => told.push(`${verb} ${boat.metadata.name} ${boat.spec.crew}`));
harbour.on('error', (error) => told.push(`error ${error}`));
await harbour.start();
const made = await custom.createNamespacedCustomObject({
  ...boats, body: { apiVersion: 'sea.example.com/v1', kind: 'Boat', metadata: { name: 'dinghy' }, spec: { sails: ['jib'] } },
});
assert.equal(made.spec.crew, 2);
await assert.rejects(custom.createNamespacedCustomObject({
  ...boats, body: { apiVersion: 'sea.example.com/v1', kind: 'Boat', metadata: { name: 'wreck' }, spec: { crew: 0 } },
}), (error) => error.code === 422);
const mended = await custom.patchNamespacedCustomObject(
  { ...boats, name: 'dinghy', body: [{ op: 'replace', path: '/spec/crew', value: 3 }, { op: 'add', path: '/spec/sails/-', value: 'main' }] },
  k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.JsonPatch));
assert.deepEqual(mended.spec, { crew: 3, sails: ['jib', 'main'] });
await custom.patchNamespacedCustomObjectStatus(
  { ...boats, name: 'dinghy', body: { status: { afloat: true }, spec: { crew: 9 } } },
  k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch));
const boat = await custom.getNamespacedCustomObject({ ...boats, name: 'dinghy' });
assert.deepEqual([boat.spec.crew, boat.status.afloat], [3, true]);
await custom.patchNamespacedCustomObject(
  {
    ...boats, name: 'dinghy', fieldManager: 'captain', force: true,
    body: { apiVersion: 'sea.example.com/v1', kind: 'Boat', metadata: { name: 'dinghy' }, spec: { crew: 4 } },
  },
  k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.ServerSideApply));
assert.ok((await custom.getNamespacedCustomObject({ ...boats, name: 'dinghy' })).metadata.managedFields
  .some((entry) => entry.manager === 'captain' && entry.operation === 'Apply'));
await custom.deleteNamespacedCustomObject({ ...boats, name: 'dinghy' });
await eventually('the informer has seen all', () => told.some((line) => line.startsWith('delete dinghy')));
assert.deepEqual(told, ['add dinghy 2', 'update dinghy 3', 'update dinghy 3', 'update dinghy 4', 'delete dinghy 4']);
await harbour.stop();
await definitions.deleteCustomResourceDefinition({ name: 'boats.sea.example.com' });
await eventually('its resource has gone', () =>
  custom.listNamespacedCustomObject(boats).then(() => false, (error) => error.code === 404));

for (const name of ['shell', 'watched']) await core.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 });
await apps.deleteNamespacedDeployment({ name: 'web', namespace });
process.exit(0);
