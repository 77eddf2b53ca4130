import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openapiDocument } from '../../shared/app/openapi.ts'
import { type Route, routes } from '../../shared/app/routes.ts'

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[]
  readonly requestBody?: {
    readonly required: boolean
    readonly content: Readonly<Record<string, { readonly schema: object }>>
  }
  readonly responses: Readonly<Record<string, object>>
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, object>>>>
}

const document = JSON.parse(JSON.stringify(openapiDocument('.'))) as Document

describe('the OpenAPI document', () => {
  it('has every route, and nothing else', () => {
    const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { operationId }]) => `${method.toUpperCase()} ${path} ${operationId}`),
    )
    const expected = Object.entries<Route>(routes).map(([id, { method, path }]) => `${method} /api/v1${path} ${id}`)
    assert.deepEqual(documented.sort(), expected.sort())
  })

  it('says of each route what it takes and what it answers', () => {
    for (const [id, route] of Object.entries<Route>(routes)) {
      const operation = document.paths[`/api/v1${route.path}`]?.[route.method.toLowerCase()]
      assert.ok(operation, id)
      const schema = operation.requestBody?.content['application/json']?.schema
      assert.equal(schema !== undefined, route.body !== undefined, id)
      if (schema !== undefined) assert.notDeepEqual(schema, {}, id)
      const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? []
      assert.deepEqual(
        declared.map(({ name }) => name),
        inPath,
        id,
      )
      const success = route.creates ? '201' : '200'
      assert.ok(operation.responses[route.submits ? '202' : success], id)
    }
  })

  it('asks for each body, but for the one that may be left out', () => {
    const asksFor = (path: string) => document.paths[`/api/v1${path}`]?.['post']?.requestBody?.required
    assert.equal(asksFor('/imports/{id}'), false)
    assert.equal(asksFor('/imports'), true)
    assert.equal(asksFor('/artifacts'), true)
  })

  it('refers to nothing that is not there', () => {
    const text = JSON.stringify(document)
    const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer]) => pointer ?? '')
    assert.ok(references.length > 20)
    for (const pointer of new Set(references)) {
      const found = pointer.split('/').reduce<unknown>((at, step) => (at as Record<string, unknown>)?.[step], document)
      assert.ok(found, pointer)
    }
  })

  it('shows numbers and nullable fields as they may be sent', () => {
    const text = JSON.stringify(document.paths['/api/v1/artifacts']?.['post']?.requestBody)
    for (const part of ['"length":{', '"type":"integer"', '"minimum":0', '"publish_artifacts"', '"default":true'])
      assert.ok(text.includes(part), `${part} is not in ${text}`)
  })
})
