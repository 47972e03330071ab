// Evaluates descriptions of a WCS with the browser's own code: node evaluate_wcs.mjs BUNDLE < cases.json
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const { createSkyMap } = await import(pathToFileURL(process.argv[2]).href)
const answers = JSON.parse(readFileSync(0, 'utf8')).map(({ description, pixels, world }) => {
  const map = createSkyMap(description)
  const plain = (answer) => (answer === null || answer === 'ask' ? answer : Object.values(answer))
  return {
    sky: pixels.map(([x, y]) => plain(map.sky(x, y))),
    pixels: world.map((one) => (one === null ? null : plain(map.pixel(...one)))),
    galactic: pixels.map(([x, y]) => {
      const sky = map.sky(x, y)
      const turned = sky === null || sky === 'ask' ? undefined : map.turned(sky, 'galactic')
      return turned ? plain(turned) : null
    }),
  }
})
process.stdout.write(JSON.stringify(answers))
